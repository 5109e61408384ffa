//! Machines that Oriel does not run.

use crate::house::House;
use oriel_broker::{
    BrokerError, GuestCredentials, MachineChange, MachineSecrets, NewExternalPool, NewMachine, Outside, Realms,
};
use oriel_compute::fake::FakeMode;
use oriel_kerberos::Envelope;
use oriel_model::{
    Desktop, DesktopIntent, DesktopState, External, GuestPort, MachineParameters, MachineProtocol, Pool,
    RdpAuthentication, Role,
};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

async fn office(house: &House) -> Pool {
    let new = NewExternalPool {
        name: "office".parse().unwrap(),
        is_shared: false,
        size: oriel_model::PoolSize::default(),
        desktops_max: 10,
        keyboard: "de".to_owned(),
        recording: oriel_model::RecordingPolicy::Off,
        policy: oriel_model::SessionPolicy::default(),
        hours: oriel_model::PoolHours::default(),
        leaving: oriel_model::Leaving::default(),
    };
    house.broker.create_external_pool(new).await.unwrap()
}

fn external(protocol: MachineProtocol, host: &str, port: u16) -> External {
    External {
        protocol,
        host: host.to_owned(),
        port,
        user: Some("root".to_owned()),
        parameters: MachineParameters::default(),
        identity: None,
        has_password: false,
        has_private_key: false,
        has_totp: false,
        has_gateway_password: false,
    }
}

fn secrets() -> MachineSecrets {
    MachineSecrets { password: Some("open sesame".into()), ..MachineSecrets::default() }
}

async fn add(house: &House, pool: &Pool, name: &str, external: External) -> Result<Desktop, BrokerError> {
    let machine =
        NewMachine { pool: pool.clone(), name: name.parse().unwrap(), owner: None, external, secrets: secrets() };
    house.broker.create_machine(machine).await
}

/// A house that may dial its own loopback.
async fn house() -> House {
    let house = House::new(FakeMode::Auto).await;
    house.broker.set_outside(Arc::new(Outside::parse("127.0.0.0/8").unwrap()));
    house
}

fn code(error: &BrokerError) -> &'static str {
    match error {
        BrokerError::Invalid { code, .. } | BrokerError::Conflict { code, .. } => code,
        BrokerError::External(_) => "external",
        BrokerError::Missing { .. } => "missing",
        _ => "other",
    }
}

#[tokio::test]
async fn a_machine_answers_or_does_not() {
    let house = house().await;
    let pool = office(&house).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gate = add(&house, &pool, "gate", external(MachineProtocol::Ssh, "127.0.0.1", address.port())).await.unwrap();
    assert_eq!(gate.state, DesktopState::Unreachable);
    house.reaches(gate.id, DesktopState::Ready).await;
    drop(listener);
    // Another port that nobody listens on: looked at at once, because it is another place.
    // What signs in there was not given for it.
    let change = MachineChange { port: Some(9), ..MachineChange::default() };
    let refused = house.broker.change_machine(gate.id, change).await.unwrap_err();
    assert_eq!(code(&refused), "credentials_of_another_address");
    let change = MachineChange { port: Some(9), password: Some(Some("another".into())), ..MachineChange::default() };
    house.broker.change_machine(gate.id, change).await.unwrap();
    // Nor is it typed where others read it.
    let telnet = add(&house, &pool, "telnet", external(MachineProtocol::Telnet, "127.0.0.1", 9)).await.unwrap();
    let parameters = MachineParameters { password_prompt: Some("login:".into()), ..MachineParameters::default() };
    let change = MachineChange { parameters: Some(parameters), ..MachineChange::default() };
    let refused = house.broker.change_machine(telnet.id, change).await.unwrap_err();
    assert_eq!(code(&refused), "credentials_of_another_address");
    // Nor said without the encryption that it was given for.
    let parameters = MachineParameters { tls: Some(true), ..MachineParameters::default() };
    let screen = External { parameters, ..external(MachineProtocol::Spice, "127.0.0.1", 9) };
    let screen = add(&house, &pool, "screen", screen).await.unwrap();
    let change = MachineChange { parameters: Some(MachineParameters::default()), ..MachineChange::default() };
    let refused = house.broker.change_machine(screen.id, change).await.unwrap_err();
    assert_eq!(code(&refused), "credentials_of_another_address");
    house.broker.set_intent(telnet.id, DesktopIntent::Deleted).await.unwrap();
    house.broker.set_intent(screen.id, DesktopIntent::Deleted).await.unwrap();
    let gone = house.reaches(gate.id, DesktopState::Unreachable).await;
    assert!(gone.failure.unwrap().contains("127.0.0.1:9 does not answer"));
    // The reconciler of desktops leaves it alone, and it has no power.
    for intent in [DesktopIntent::Running, DesktopIntent::Stopped, DesktopIntent::Restart, DesktopIntent::Recycle] {
        let refused = house.broker.set_intent(gate.id, intent).await.unwrap_err();
        assert_eq!(code(&refused), "external_machine");
    }
    house.broker.set_intent(gate.id, DesktopIntent::Deleted).await.unwrap();
    house.is_gone(gate.id).await;
    house.broker.delete_pool(pool.id).await.unwrap();
}

#[tokio::test]
async fn secrets_are_sealed_and_come_out_only_to_sign_in() {
    let house = house().await;
    let pool = office(&house).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let gate = add(&house, &pool, "gate", external(MachineProtocol::Ssh, "127.0.0.1", port)).await.unwrap();
    let sealed = house.store.secret(gate.id).await.unwrap().unwrap();
    assert!(sealed.starts_with("oriel:v1:") && !sealed.contains("sesame"));
    assert!(gate.external.as_ref().unwrap().has_password);
    let access = house.broker.guest_access(None, gate.id, GuestPort::Ssh, None).await.unwrap();
    let GuestCredentials::Ssh { account, host_key: None, .. } = access.credentials else { panic!("other credentials") };
    assert_eq!(account.user.as_deref(), Some("root"));
    assert_eq!(account.password.unwrap().expose_secret(), "open sesame");
    // A sealed text of another row does not open.
    let other = add(&house, &pool, "other", external(MachineProtocol::Ssh, "127.0.0.1", port)).await.unwrap();
    house.store.put_secret(other.id, &sealed).await.unwrap();
    assert!(house.broker.guest_access(None, other.id, GuestPort::Ssh, None).await.is_err());

    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
    let change = MachineChange {
        password: Some(None),
        private_key: Some(Some(key.into())),
        passphrase: Some(Some("p".into())),
        ..MachineChange::default()
    };
    let changed = house.broker.change_machine(gate.id, change).await.unwrap().external.unwrap();
    assert!(!changed.has_password && changed.has_private_key);
    let access = house.broker.guest_access(None, gate.id, GuestPort::Ssh, None).await.unwrap();
    let GuestCredentials::Ssh { account, .. } = access.credentials else { panic!("other credentials") };
    assert!(account.password.is_none() && account.passphrase.is_some());
    let change = MachineChange { private_key: Some(None), user: Some(None), ..MachineChange::default() };
    house.broker.change_machine(gate.id, change).await.unwrap();
    let Err(refused) = house.broker.guest_access(None, gate.id, GuestPort::Ssh, None).await else {
        panic!("signed in")
    };
    assert_eq!(code(&refused), "no_credentials");
}

#[tokio::test]
async fn a_machine_behind_a_gateway_is_dialled_there() {
    let house = house().await;
    let pool = office(&house).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Where the gateway leads is its network's affair.
    let mut desk = external(MachineProtocol::Rdp, "10.1.2.3", 3389);
    desk.parameters.gateway_host = Some("10.9.9.9".into());
    assert_eq!(code(&add(&house, &pool, "desk", desk.clone()).await.unwrap_err()), "external");
    desk.parameters.gateway_host = Some("127.0.0.1".into());
    desk.parameters.gateway_port = Some(port);
    let desk = add(&house, &pool, "desk", desk).await.unwrap();
    house.reaches(desk.id, DesktopState::Ready).await;
    let through = async || {
        let access = house.broker.guest_access(None, desk.id, GuestPort::Rdp, None).await.unwrap();
        let GuestCredentials::Rdp { gateway: Some(gateway), .. } = access.credentials else { panic!("no gateway") };
        gateway
    };
    // With the machine's account, where it has none of its own.
    let gateway = through().await;
    assert_eq!(
        (gateway.name, gateway.to_host.as_str(), gateway.to_port),
        (format!("127.0.0.1:{port}"), "10.1.2.3", 3389)
    );
    assert_eq!((gateway.user.as_deref(), gateway.identity), (Some("root"), None));
    assert_eq!(gateway.password.unwrap().expose_secret(), "open sesame");
    let parameters = async || house.store.desktop(desk.id).await.unwrap().unwrap().external.unwrap().parameters;
    let pin = "0a".repeat(32);
    house.broker.pin_identity(desk.id, 1, &pin).await.unwrap();
    let refused = house.broker.pin_identity(desk.id, 1, &"0b".repeat(32)).await.unwrap_err();
    assert_eq!(code(&refused), "identity_changed");
    assert_eq!(through().await.identity.as_deref(), Some(pin.as_str()));
    // Its own account has its own password, which goes with it.
    let own = MachineParameters { gateway_user: Some("olga".into()), ..parameters().await };
    let gateway_password = Some(Some("offen".into()));
    let change = MachineChange { parameters: Some(own), gateway_password, ..MachineChange::default() };
    assert!(house.broker.change_machine(desk.id, change).await.unwrap().external.unwrap().has_gateway_password);
    let gateway = through().await;
    assert_eq!(gateway.user.as_deref(), Some("olga"));
    assert_eq!(gateway.password.unwrap().expose_secret(), "offen");
    // Another gateway is not told what was given for this one, and is met anew.
    let other = MachineParameters { gateway_host: Some("127.0.0.2".into()), ..parameters().await };
    let change = || MachineChange { parameters: Some(other.clone()), ..MachineChange::default() };
    let refused = house.broker.change_machine(desk.id, change()).await.unwrap_err();
    assert_eq!(code(&refused), "credentials_of_another_address");
    let change =
        MachineChange { password: Some(Some("again".into())), gateway_password: Some(Some("anew".into())), ..change() };
    house.broker.change_machine(desk.id, change).await.unwrap();
    assert_eq!(parameters().await.gateway_identity, None);
    // Nor what is kept for the machine, by way of an account of its own.
    let machines = MachineParameters { gateway_user: None, ..parameters().await };
    let change = || MachineChange { parameters: Some(machines.clone()), ..MachineChange::default() };
    let refused = house.broker.change_machine(desk.id, change()).await.unwrap_err();
    assert_eq!(code(&refused), "credentials_of_another_address");
    let change = MachineChange { password: Some(Some("again".into())), ..change() };
    assert!(!house.broker.change_machine(desk.id, change).await.unwrap().external.unwrap().has_gateway_password);
}

/// AS-REQ (RFC 4120 §5.4.1) of somebody of `CORP.EXAMPLE`, as far as the broker reads it.
fn first_ticket(user: &str) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| [&[tag, content.len() as u8][..], content].concat();
    let text = |text: &str| element(0x1b, text.as_bytes());
    let parts = element(0xa1, &element(0x30, &text(user)));
    let name = element(0x30, &[element(0xa0, &[2, 1, 1]), parts].concat());
    let body = [element(0xa1, &name), element(0xa2, &text("CORP.EXAMPLE"))].concat();
    element(0x6a, &element(0x30, &element(0xa4, &element(0x30, &body))))
}

#[tokio::test]
async fn a_realms_kdc_is_asked_for_its_machines_alone() {
    let house = house().await;
    let pool = office(&house).await;
    // It takes any question, and gives the same answer.
    let kdc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let realms = format!("CORP.EXAMPLE=127.0.0.1:{}", kdc.local_addr().unwrap().port());
    house.broker.set_realms(Realms::parse(&realms, "CORP=CORP.EXAMPLE").unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = kdc.accept().await {
            let length = stream.read_u32().await.unwrap();
            stream.read_exact(&mut vec![0; length as usize]).await.unwrap();
            stream.write_all(&[0, 0, 0, 2, 0x7e, 0]).await.unwrap();
        }
    });
    let way = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut desk = external(MachineProtocol::Rdp, "desk.corp.example", 3389);
    // So that the name need not lead anywhere.
    desk.parameters.gateway_host = Some("127.0.0.1".into());
    desk.parameters.gateway_port = Some(way.local_addr().unwrap().port());
    desk.parameters.domain = Some("corp".into());
    let mut at = desk.clone();
    at.host = "10.1.2.3".to_owned();
    at.parameters.authentication = Some(RdpAuthentication::Kerberos);
    let refused = add(&house, &pool, "desk", at).await.unwrap_err();
    assert!(refused.to_string().contains("10.1.2.3 is an address"), "{refused}");
    let desk = add(&house, &pool, "desk", desk).await.unwrap();
    house.reaches(desk.id, DesktopState::Ready).await;
    let ticket = async || {
        let access = house.broker.guest_access(None, desk.id, GuestPort::Rdp, None).await?;
        let GuestCredentials::Rdp { kerberos, .. } = access.credentials else { panic!("no RDP") };
        Ok::<_, BrokerError>(kerberos.map(|of| (of.realm, of.user, of.host, of.or_ntlm)))
    };
    let set = async |change: fn(&mut MachineParameters)| {
        let mut parameters = house.store.desktop(desk.id).await.unwrap().unwrap().external.unwrap().parameters;
        change(&mut parameters);
        let change = MachineChange { parameters: Some(parameters), ..MachineChange::default() };
        house.broker.change_machine(desk.id, change).await.unwrap();
    };
    let wanted = |or_ntlm: bool| {
        let [realm, user, host] = ["CORP.EXAMPLE", "root", "desk.corp.example"].map(str::to_owned);
        Some((realm, user, host, or_ntlm))
    };
    assert_eq!(ticket().await.unwrap(), wanted(true));

    let question =
        |realm: &str, message: &[u8]| Envelope { realm: Some(realm.to_owned()), message: message.to_vec() }.write();
    let asked = async |question: Vec<u8>| house.broker.ask_kdc(desk.id, &question).await;
    let answer = asked(question("CORP.EXAMPLE", &first_ticket("root"))).await.unwrap();
    assert_eq!(Envelope::read(&answer).unwrap().message, [0x7e, 0]);
    for (question, why) in [
        (question("LAB.EXAMPLE", &[0x6c, 0]), "none of kerberos.realms"),
        (question("CORP.EXAMPLE", &first_ticket("admin")), "of the machine's account"),
        (question("CORP.EXAMPLE", b"GET / HTTP/1.1"), "something else than a ticket"),
        (b"nonsense".to_vec(), "no message of Kerberos"),
    ] {
        let refused = asked(question).await.unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }

    set(|parameters| parameters.authentication = Some(RdpAuthentication::Kerberos)).await;
    assert_eq!(ticket().await.unwrap(), wanted(false));
    set(|parameters| parameters.domain = Some("ELSEWHERE".into())).await;
    let refused = ticket().await.unwrap_err();
    assert!(code(&refused) == "no_kerberos" && refused.to_string().contains("ELSEWHERE"), "{refused}");
    // With one realm alone, whose it is needs not be said.
    set(|parameters| parameters.domain = None).await;
    assert_eq!(ticket().await.unwrap(), wanted(false));
    set(|parameters| parameters.authentication = None).await;
    assert_eq!(ticket().await.unwrap(), None, "a local account");
    let refused = asked(question("CORP.EXAMPLE", &first_ticket("root"))).await.unwrap_err();
    assert!(refused.to_string().contains("not signed in to with Kerberos"), "{refused}");
    set(|parameters| {
        parameters.domain = Some("CORP".into());
        parameters.authentication = Some(RdpAuthentication::Ntlm);
    })
    .await;
    assert_eq!(ticket().await.unwrap(), None);
    let refused = asked(question("CORP.EXAMPLE", &first_ticket("root"))).await.unwrap_err();
    assert!(refused.to_string().contains("not signed in to with Kerberos"), "{refused}");
}

#[tokio::test]
async fn the_first_identity_stays() {
    let house = house().await;
    let pool = office(&house).await;
    let gate = add(&house, &pool, "gate", external(MachineProtocol::Ssh, "127.0.0.1", 9)).await.unwrap();
    let of = async || house.store.desktop(gate.id).await.unwrap().unwrap().external.unwrap().identity;
    house.broker.pin_identity(gate.id, 0, "ssh-ed25519 AAAAone").await.unwrap();
    house.broker.pin_identity(gate.id, 0, "ssh-ed25519 AAAAone").await.unwrap();
    let refused = house.broker.pin_identity(gate.id, 0, "ssh-ed25519 AAAAtwo").await.unwrap_err();
    assert_eq!(code(&refused), "identity_changed");
    assert!(refused.to_string().contains("AAAAone") && refused.to_string().contains("AAAAtwo"), "{refused}");
    assert_eq!(of().await.as_deref(), Some("ssh-ed25519 AAAAone"));
    // Another address is another machine; the same one with another user is not.
    let change = |change: MachineChange| house.broker.change_machine(gate.id, change);
    change(MachineChange { user: Some(Some("ada".into())), ..MachineChange::default() }).await.unwrap();
    assert_eq!(of().await.as_deref(), Some("ssh-ed25519 AAAAone"));
    let (host, password) = (Some("127.0.0.2".into()), Some(None));
    change(MachineChange { host, password, ..MachineChange::default() }).await.unwrap();
    assert_eq!(of().await, None);
    assert!(house.broker.pin_identity(gate.id, 0, "nonsense").await.is_err());
    let accepted = Some(Some("ssh-ed25519 AAAAtwo".to_owned()));
    change(MachineChange { identity: accepted, ..MachineChange::default() }).await.unwrap();
    assert_eq!(of().await.as_deref(), Some("ssh-ed25519 AAAAtwo"));
}

#[tokio::test]
async fn people_see_what_their_pools_allow() {
    let house = house().await;
    let pool = office(&house).await;
    let gate = add(&house, &pool, "gate", external(MachineProtocol::Vnc, "127.0.0.1", 9)).await.unwrap();
    let new = oriel_broker::NewUser { name: "bob".into(), role: Role::User, password: None };
    let (bob, _) = house.broker.create_user(new).await.unwrap();
    let sees = async |user| house.broker.find_desktop(user, "gate").await.is_ok();
    assert!(!sees(&house.anna).await && !sees(&bob).await);
    house.broker.entitle(pool.id, house.anna.id).await.unwrap();
    assert!(sees(&house.anna).await && !sees(&bob).await);
    assert_eq!(house.broker.desktops(&house.anna, false).await.unwrap().len(), 1);
    let owned = NewMachine {
        pool: pool.clone(),
        name: "of-bob".parse().unwrap(),
        owner: Some(bob.clone()),
        external: external(MachineProtocol::Vnc, "127.0.0.1", 9),
        secrets: MachineSecrets::default(),
    };
    let refused = house.broker.create_machine(owned).await.unwrap_err();
    assert_eq!(code(&refused), "not_entitled");

    // It has one door, and the ticket for it is for whoever asks.
    let ticket = |port| house.broker.connect(&house.anna, &gate, port, None, "session");
    assert_eq!(code(&ticket(GuestPort::Ssh).await.err().unwrap()), "no_such_door");
    assert_eq!(code(&ticket(GuestPort::Rdp).await.err().unwrap()), "no_such_door");
    assert!(ticket(GuestPort::Console).await.is_ok());
    let old = add(&house, &pool, "old", external(MachineProtocol::Telnet, "127.0.0.1", 23)).await.unwrap();
    assert!(house.broker.connect(&house.anna, &old, GuestPort::Ssh, None, "session").await.is_ok());
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let house = house().await;
    let pool = office(&house).await;
    let fails = async |external| code(&add(&house, &pool, "gate", external).await.unwrap_err());
    let good = external(MachineProtocol::Vnc, "127.0.0.1", 5900);
    assert_eq!(fails(External { host: "10.0.0.1".into(), ..good.clone() }).await, "external");
    assert_eq!(fails(External { host: "a b".into(), ..good.clone() }).await, "bad_machine");
    assert_eq!(fails(External { port: 0, ..good.clone() }).await, "bad_machine");
    let parameters = MachineParameters { domain: Some("CORP".into()), ..MachineParameters::default() };
    assert_eq!(fails(External { parameters, ..good.clone() }).await, "bad_machine");
    let parameters = MachineParameters { keyboard: Some("klingon".into()), ..MachineParameters::default() };
    assert_eq!(fails(External { protocol: MachineProtocol::Rdp, parameters, ..good.clone() }).await, "bad_machine");
    // Machines are for their pools, and desktops for theirs.
    assert_eq!(code(&add(&house, &house.pool, "gate", good).await.unwrap_err()), "not_an_external_pool");
    let new = oriel_broker::NewDesktop { pool: pool.clone(), owner: None, name: None };
    assert_eq!(code(&house.broker.create_desktop(new).await.unwrap_err()), "external_pool");
    let change = oriel_broker::PoolChange { vcpus: Some(4), ..oriel_broker::PoolChange::default() };
    assert_eq!(code(&house.broker.change_pool(pool.id, change).await.unwrap_err()), "external_pool");
    let change = oriel_broker::PoolChange { desktops_max: Some(1), ..oriel_broker::PoolChange::default() };
    assert_eq!(house.broker.change_pool(pool.id, change).await.unwrap().desktops_max, 1);
}

#[tokio::test]
async fn machines_behind_jump_hosts() {
    let house = house().await;
    let pool = office(&house).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = |host: &str, jump: &str| {
        let parameters = MachineParameters { jump: Some(jump.to_owned()), ..MachineParameters::default() };
        External { parameters, ..external(MachineProtocol::Ssh, host, 22) }
    };
    let code_of = async |name: &str, external| add(&house, &pool, name, external).await.err().map(|error| code(&error));
    assert_eq!(code_of("inner", behind("10.0.0.7", "gate")).await, Some("jump_host"), "there is no such machine");
    add(&house, &pool, "screen", external(MachineProtocol::Vnc, "127.0.0.1", 9)).await.unwrap();
    assert_eq!(code_of("inner", behind("10.0.0.7", "screen")).await, Some("jump_host"), "it is no ssh");
    let gate = add(&house, &pool, "gate", external(MachineProtocol::Ssh, "127.0.0.1", port)).await.unwrap();
    // What is behind it is its own network's affair.
    let middle = add(&house, &pool, "middle", behind("10.0.0.6", "gate")).await.unwrap();
    let inner = add(&house, &pool, "inner", behind("10.0.0.7", "middle")).await.unwrap();
    house.reaches(inner.id, DesktopState::Ready).await;
    let access = house.broker.guest_access(None, inner.id, GuestPort::Ssh, None).await.unwrap();
    let GuestCredentials::Ssh { jumps, .. } = access.credentials else { panic!("other credentials") };
    let way: Vec<(&str, u16)> = jumps.iter().map(|jump| (jump.to_host.as_str(), jump.to_port)).collect();
    assert_eq!(way, [("10.0.0.6", 22), ("10.0.0.7", 22)]);
    assert_eq!(jumps[0].account.password.as_ref().unwrap().expose_secret(), "open sesame");
    // Each is pinned where it is entered.
    for (hop, id) in [(1, gate.id), (2, middle.id), (0, inner.id)] {
        let key = format!("ssh-ed25519 AAAA{hop}");
        house.broker.pin_identity(inner.id, hop, &key).await.unwrap();
        assert_eq!(house.store.desktop(id).await.unwrap().unwrap().external.unwrap().identity, Some(key));
    }
    assert!(house.broker.pin_identity(inner.id, 3, "ssh-ed25519 AAAA3").await.is_err());
    // No circles, and none goes while others are behind it.
    let parameters = MachineParameters { jump: Some("inner".into()), ..MachineParameters::default() };
    let change = MachineChange { parameters: Some(parameters), ..MachineChange::default() };
    assert_eq!(code(&house.broker.change_machine(gate.id, change).await.unwrap_err()), "jump_host");
    assert_eq!(code(&house.broker.delete_machine(&gate).await.unwrap_err()), "jump_host");
    // Without the way, the address is dialled from here, and may not be.
    let change = MachineChange { parameters: Some(MachineParameters::default()), ..MachineChange::default() };
    assert_eq!(code(&house.broker.change_machine(inner.id, change).await.unwrap_err()), "external");
}
