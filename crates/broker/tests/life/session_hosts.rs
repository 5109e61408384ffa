//! Many people on one machine: places, doors, draining, and programs that pools publish.

use crate::{
    house::House,
    pools::{enter, house, person, until},
};
use async_trait::async_trait;
use futures::future::join_all;
use oriel_broker::{
    BrokerError, GuestAccount, GuestCommands, GuestCredentials, MachineSecrets, NewDesktop, NewExternalPool,
    NewMachine, Outside,
};
use oriel_compute::BoxStream;
use oriel_machine::GuestIdentity;
use oriel_model::{
    AppRun, Desktop, DesktopState, External, GuestPort, MachineParameters, MachineProtocol, Pool, PoolKind,
    RdpSecurity, Role, TokenScope, User,
};
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;

fn code<T: std::fmt::Debug>(refused: Result<T, BrokerError>) -> &'static str {
    match refused {
        Err(BrokerError::Conflict { code, .. } | BrokerError::Invalid { code, .. }) => code,
        Err(BrokerError::Missing { .. }) => "missing",
        other => panic!("not refused: {other:?}"),
    }
}

fn ready(desktops: &[Desktop]) -> bool {
    desktops.len() == 1 && desktops[0].state == DesktopState::Ready
}

#[tokio::test]
async fn many_people_share_a_host_and_nobody_has_its_other_doors() {
    let (house, pool, _gateway) = house(PoolKind::SessionHost, "running=2,sessions=2,parallel=1", 1).await;
    let host = until(&house, &pool, "a host is ready", ready).await.remove(0);
    let (bob, cem) = (person(&house, &pool, "bob").await, person(&house, &pool, "cem").await);
    let broker = &house.broker;
    for user in [&house.anna, &bob] {
        assert_eq!(broker.take_desktop(user, &pool).await.unwrap().id, host.id);
        assert_eq!(broker.take_desktop(user, &pool).await.unwrap().id, host.id, "and the same again");
    }
    assert_eq!(code(broker.take_desktop(&cem, &pool).await), "pool_full");
    let places = broker.places(&pool).await.unwrap();
    assert_eq!(
        places.iter().map(|(place, there)| (place.number, *there)).collect::<Vec<_>>(),
        [(1, false), (2, false)]
    );

    // Each signs in as themselves, on the machine's own screen, and nobody as its administrator.
    let ticket = broker.connect(&house.anna, &host, GuestPort::Rdp, None, "s").await;
    assert!(ticket.is_ok());
    let access = broker.guest_access(Some(bob.id), host.id, GuestPort::Rdp, None).await.unwrap();
    let GuestCredentials::Rdp { account, parameters, .. } = access.credentials else { panic!("no RDP") };
    assert_eq!((account.user.as_deref(), account.password.is_some()), (Some("bob"), false));
    assert_eq!(parameters.security, Some(RdpSecurity::Tls));
    for door in [GuestPort::Ssh, GuestPort::Console] {
        let refused = broker.connect(&house.anna, &host, door, None, "s").await.map(drop);
        assert_eq!(code(refused), "shared_host");
        let refused = broker.guest_access(Some(house.anna.id), host.id, door, None).await.map(drop);
        assert_eq!(code(refused), "shared_host");
    }
    assert!(broker.thumbnail(&host).await.unwrap().is_none(), "what one of many shows is not for the others");
    // Who has no place has no way in; who has one does not say what becomes of the host.
    assert_eq!(code(enter(&house, &cem, host.id).await), "missing");
    assert!(enter(&house, &bob, host.id).await.is_ok());
    let grants = broker.grants(&bob, TokenScope::All).await.unwrap();
    let stop = oriel_model::Permission::DesktopsOperate;
    let refused = broker.find_desktop_for(&bob, &grants, &host.id.to_string(), stop).await;
    assert!(matches!(refused, Err(BrokerError::Forbidden { .. })), "{refused:?}");
    // A right that is taken away takes the place with it.
    broker.unentitle(pool.id, bob.id).await.unwrap();
    assert_eq!(code(enter(&house, &bob, host.id).await), "missing");
    assert_eq!(broker.take_desktop(&cem, &pool).await.unwrap().id, host.id, "at once, and somebody else may have it");
    let change = oriel_broker::UserChange { disabled: Some(true), ..oriel_broker::UserChange::default() };
    broker.change_user(cem.id, change).await.unwrap();
    assert_eq!(broker.places(&pool).await.unwrap().len(), 1);
    // Nobody owns a host.
    let owned = NewDesktop { pool: pool.clone(), owner: Some(house.anna.clone()), name: None };
    assert_eq!(code(broker.create_desktop(owned).await), "session_host_pool");
}

/// The accounts of all hosts, as the command of their administrator leaves them: whose each is, and whether it can be signed in to.
#[derive(Default)]
struct Guests {
    accounts: Mutex<BTreeMap<(String, String), (String, bool)>>,
    /// Why no host answers.
    silent: Mutex<Option<String>>,
}

#[async_trait]
impl GuestCommands for Guests {
    async fn run(
        &self,
        _: BoxStream,
        of: &GuestIdentity,
        command: &str,
        input: SecretString,
    ) -> Result<Vec<u8>, String> {
        assert_eq!(command, oriel_machine::account_command(), "nothing that anybody chose is in it");
        if let Some(why) = self.silent.lock().unwrap().clone() {
            return Err(why);
        }
        let lines: Vec<&str> = input.expose_secret().lines().collect();
        let (name, person, open) = (lines[2], lines[3], lines[0] == "open");
        assert_eq!(lines.get(4).is_some_and(|hash| hash.starts_with("$6$")), open);
        let mut accounts = self.accounts.lock().unwrap();
        let known =
            accounts.entry((of.ssh_host_public.clone(), name.to_owned())).or_insert_with(|| (person.to_owned(), false));
        assert_eq!(known.0, person);
        known.1 = open;
        Ok(if open { b"ready\n".to_vec() } else { b"closed\n".to_vec() })
    }
}

impl Guests {
    fn opens(&self, name: &str) -> bool {
        self.accounts.lock().unwrap().iter().any(|((_, of), (_, open))| of == name && *open)
    }
}

async fn signs_in(house: &House, user: &User, host: &Desktop) -> Result<GuestAccount, BrokerError> {
    let access = house.broker.guest_access(Some(user.id), host.id, GuestPort::Rdp, None).await?;
    let GuestCredentials::Rdp { account, parameters, .. } = access.credentials else { panic!("no RDP") };
    // With a password it is for RDP to carry, and the machine has nothing to ask.
    assert_eq!(parameters.security.is_none(), account.password.is_some());
    Ok(account)
}

#[tokio::test]
async fn each_is_signed_in_to_an_account_of_their_own_for_as_long_as_they_stay() {
    let (house, pool, _gateway) = house(PoolKind::SessionHost, "running=4,sessions=9", 1).await;
    let guests = Arc::new(Guests::default());
    house.broker.set_guest_commands(guests.clone());
    let host = until(&house, &pool, "a host is ready", ready).await.remove(0);
    let bob = person(&house, &pool, "bob").await;
    for user in [&house.anna, &bob] {
        house.broker.take_desktop(user, &pool).await.unwrap();
    }
    let password = |account: &GuestAccount| account.password.as_ref().unwrap().expose_secret().to_owned();
    let (anna, other) =
        (signs_in(&house, &house.anna, &host).await.unwrap(), signs_in(&house, &bob, &host).await.unwrap());
    assert_eq!((anna.user.as_deref(), other.user.as_deref()), (Some("anna"), Some("bob")));
    assert_ne!(password(&anna), password(&other));
    let again = signs_in(&house, &house.anna, &host).await.unwrap();
    assert_eq!(password(&again), password(&anna), "two programs of one stay have the same");
    // A name is one person's, and the system's own are nobody's.
    let (root, namesake) = (person(&house, &pool, "Root").await, person(&house, &pool, "b+ob").await);
    for (user, refusal) in [(&root, "account_reserved"), (&namesake, "account_taken")] {
        house.broker.take_desktop(user, &pool).await.unwrap();
        assert_eq!(code(signs_in(&house, user, &host).await.map(drop)), refusal);
    }
    let problems = house.broker.sign_on_problems(&namesake).await.unwrap();
    assert!(problems[&host.id].contains("another person's"), "{problems:?}");
    assert!(house.broker.sign_on_problems(&bob).await.unwrap().is_empty());

    // She leaves for good: what she had is closed, and he goes on.
    let place = house.store.place_of(pool.id, house.anna.id).await.unwrap().unwrap();
    assert!(house.store.take_back_place(place, |_, _| true).await.unwrap());
    house.broker.by_hand("accounts").unwrap().round().await.unwrap();
    assert!(!guests.opens("anna") && guests.opens("bob"));
    assert_eq!(code(signs_in(&house, &house.anna, &host).await.map(drop)), "no_place");
    house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    let next = signs_in(&house, &house.anna, &host).await.unwrap();
    assert_ne!(password(&next), password(&anna), "another stay, another password");

    // A host that does not answer says so on her card, and nowhere else.
    *guests.silent.lock().unwrap() = Some("no route to host".to_owned());
    assert_eq!(code(signs_in(&house, &house.anna, &host).await.map(drop)), "host_silent");
    let problems = house.broker.sign_on_problems(&house.anna).await.unwrap();
    assert!(problems[&host.id].contains("no route to host"), "{problems:?}");
    *guests.silent.lock().unwrap() = None;
    signs_in(&house, &house.anna, &host).await.unwrap();
    assert!(house.broker.sign_on_problems(&house.anna).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_come_at_once_come_to_one_new_host() {
    let (house, pool, _gateway) = house(PoolKind::SessionHost, "sessions=4", 5).await;
    let mut people = vec![house.anna.clone()];
    for name in ["bob", "cem", "dan"] {
        people.push(person(&house, &pool, name).await);
    }
    let given = join_all(people.iter().map(|user| house.broker.take_desktop(user, &pool))).await;
    let hosts: BTreeSet<_> = given.into_iter().map(|host| host.unwrap().id).collect();
    assert_eq!(hosts.len(), 1);
    assert_eq!(house.store.desktops_in_pool(pool.id).await.unwrap().len(), 1, "and no other was made");
}

#[tokio::test]
async fn a_host_that_drains_is_made_anew_when_its_people_are_gone() {
    let (house, pool, _gateway) = house(PoolKind::SessionHost, "running=1,sessions=4,return=0", 1).await;
    let host = until(&house, &pool, "a host is ready", ready).await.remove(0);
    let bob = person(&house, &pool, "bob").await;
    let broker = &house.broker;
    broker.take_desktop(&house.anna, &pool).await.unwrap();
    assert!(broker.drain(&host).await.unwrap().facts.draining);
    assert_eq!(code(broker.take_desktop(&bob, &pool).await), "pool_full", "it takes nobody new");
    assert_eq!(broker.take_desktop(&house.anna, &pool).await.unwrap().id, host.id, "who is there comes back");
    let (place, _) = broker.places(&pool).await.unwrap()[0];
    assert!(house.store.take_back_place(place, |_, _| true).await.unwrap());
    // Once more, so that the pool is looked at now.
    broker.drain(&host).await.unwrap();
    until(&house, &pool, "it is made anew, and open again", |all| {
        ready(all) && all[0].generation == host.generation + 1 && !all[0].facts.draining
    })
    .await;
    assert_eq!(broker.take_desktop(&bob, &pool).await.unwrap().id, host.id);
    assert_eq!(code(broker.drain(&house.desktop().await).await), "no_session_hosts");
}

/// A pool of others' session hosts.
async fn others(house: &House) -> Pool {
    let new = NewExternalPool {
        name: "farm".parse().unwrap(),
        is_shared: true,
        size: "sessions=1".parse().unwrap(),
        desktops_max: 10,
        keyboard: "de".to_owned(),
        recording: oriel_model::RecordingPolicy::Off,
        policy: oriel_model::SessionPolicy::default(),
        hours: oriel_model::PoolHours::default(),
        leaving: oriel_model::Leaving::default(),
    };
    house.broker.create_external_pool(new).await.unwrap()
}

fn machine(pool: &Pool, name: &str, (protocol, port): (MachineProtocol, u16), user: Option<&str>) -> NewMachine {
    NewMachine {
        pool: pool.clone(),
        name: name.parse().unwrap(),
        owner: None,
        external: External {
            protocol,
            host: "127.0.0.1".to_owned(),
            port,
            user: user.map(str::to_owned),
            parameters: MachineParameters::default(),
            identity: None,
            has_password: false,
            has_private_key: false,
            has_totp: false,
            has_gateway_password: false,
        },
        secrets: MachineSecrets::default(),
    }
}

#[tokio::test]
async fn others_machines_are_shared_by_their_own_accounts_alone() {
    let house = House::new(oriel_compute::fake::FakeMode::Auto).await;
    house.broker.set_outside(Arc::new(Outside::parse("127.0.0.0/8").unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (broker, pool) = (&house.broker, others(&house).await);
    broker.entitle(pool.id, house.anna.id).await.unwrap();
    let bob = person(&house, &pool, "bob").await;
    let refused = broker.create_machine(machine(&pool, "one", (MachineProtocol::Rdp, port), Some("all"))).await;
    assert_eq!(code(refused), "bad_session_host");
    let refused = broker.create_machine(machine(&pool, "one", (MachineProtocol::Vnc, port), None)).await;
    assert_eq!(code(refused), "bad_session_host");
    let one = broker.create_machine(machine(&pool, "one", (MachineProtocol::Rdp, port), None)).await.unwrap();
    house.reaches(one.id, DesktopState::Ready).await;
    // Whoever may use the pool does not see its machines before they have a place there.
    assert_eq!(code(broker.find_desktop(&house.anna, "one").await), "missing");
    assert_eq!(broker.take_desktop(&house.anna, &pool).await.unwrap().id, one.id);
    assert!(broker.find_desktop(&house.anna, "one").await.is_ok());
    assert_eq!(broker.desktops(&house.anna, false).await.unwrap().len(), 1);
    assert_eq!(code(enter(&house, &bob, one.id).await), "missing");
    assert_eq!(code(broker.take_desktop(&bob, &pool).await), "pool_full");
    // Why nobody gets one is said, without where the host is.
    house.store.modify_desktop(one.id, |row| row.state = DesktopState::Unreachable).await.unwrap();
    let refused = broker.take_desktop(&bob, &pool).await.unwrap_err().to_string();
    assert!(refused.contains("one cannot be reached") && !refused.contains("127.0.0.1"), "{refused}");
}

#[tokio::test]
async fn an_app_runs_where_its_person_has_a_place() {
    let (house, pool, _gateway) = house(PoolKind::SessionHost, "running=2,sessions=2", 1).await;
    let host = until(&house, &pool, "a host is ready", ready).await.remove(0);
    let broker = &house.broker;
    let run = AppRun { initial_program: Some("xterm -e top".into()), ..AppRun::default() };
    assert_eq!(code(broker.create_app(&pool, " ".into(), run.clone(), None).await), "bad_app");
    assert_eq!(code(broker.create_app(&pool, "Top".into(), AppRun::default(), None).await), "bad_app");
    let svg = Some(b"<svg onload=alert(1)>".to_vec());
    assert_eq!(code(broker.create_app(&pool, "Top".into(), run.clone(), svg).await), "bad_icon");
    let app = broker.create_app(&pool, "Top".into(), run, None).await.unwrap();
    assert_eq!(broker.apps_for(&house.anna).await.unwrap(), std::slice::from_ref(&app));
    let new = oriel_broker::NewUser { name: "eve".into(), role: Role::User, password: None };
    let (eve, _) = broker.create_user(new).await.unwrap();
    assert_eq!(broker.apps_for(&eve).await.unwrap(), []);
    assert_eq!(code(broker.find_app_for(&eve, &app.id.to_string()).await), "missing");

    let given = broker.desktop_for_app(&house.anna, &app).await.unwrap();
    assert_eq!(given.id, host.id);
    let ticket = broker.connect_app(&house.anna, &given, &app, None, "s").await.unwrap();
    assert_eq!((ticket.ticket.app, ticket.ticket.port), (Some(app.id), GuestPort::Rdp));
    let access = broker.guest_access(Some(house.anna.id), host.id, GuestPort::Rdp, Some(app.id)).await.unwrap();
    let GuestCredentials::Rdp { parameters, .. } = access.credentials else { panic!("no RDP") };
    assert_eq!(parameters.initial_program.as_deref(), Some("xterm -e top"));
    // What a pool publishes runs on its own machines.
    let other = house.desktop().await;
    assert_eq!(code(broker.connect_app(&house.anna, &other, &app, None, "s").await.map(drop)), "missing");
}
