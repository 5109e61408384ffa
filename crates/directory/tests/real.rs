//! Against a real OpenLDAP, and against what is none.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used, reason = "these are tests")]

mod samba;
mod slapd;

use oriel_directory::{DirectoryError, Found, Outcome, look_again, look_up, sign_in};
use oriel_model::DirectorySettings;
use samba::Samba;
use slapd::{SERVICE, Slapd, password};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

fn names(found: &Found) -> Vec<String> {
    let mut names: Vec<String> = found.groups.iter().map(|group| group.dn.to_lowercase()).collect();
    names.sort();
    names
}

async fn right(settings: &DirectorySettings, uid: &str) -> Found {
    match sign_in(settings, Some(&Slapd::service()), uid, &password(uid)).await {
        Ok(Outcome::Right(found)) => found,
        other => panic!("{uid}: {other:?}"),
    }
}

#[tokio::test]
async fn people_sign_in_over_every_kind_of_tls() {
    let Some(slapd) = Slapd::start() else { return };
    let with_ca = slapd.settings();
    let pinned = DirectorySettings { ca: None, pin: Some(slapd.pin.clone()), ..slapd.settings() };
    let start_tls =
        DirectorySettings { url: format!("ldap://localhost:{}", slapd.plain), start_tls: true, ..slapd.settings() };
    let plain = DirectorySettings {
        url: format!("ldap://127.0.0.1:{}", slapd.plain),
        plain: true,
        ca: None,
        ..slapd.settings()
    };
    for settings in [&with_ca, &pinned, &start_tls, &plain] {
        let ada = right(settings, "ada").await;
        assert_eq!((ada.name.as_str(), ada.disabled), ("ada", false));
        assert_eq!(ada.external_id.len(), 36, "{}", ada.external_id);
        let wrong = sign_in(settings, Some(&Slapd::service()), "ada", &"guess".into()).await;
        assert_eq!(wrong.unwrap(), Outcome::Wrong);
    }

    let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap().cert.pem();
    for distrusted in [
        DirectorySettings { ca: Some(other), ..slapd.settings() },
        DirectorySettings { ca: None, ..slapd.settings() },
        DirectorySettings { ca: None, pin: Some("ab".repeat(32)), ..slapd.settings() },
        DirectorySettings { start_tls: true, ca: None, ..plain.clone() }.without_plain(),
    ] {
        let error = sign_in(&distrusted, Some(&Slapd::service()), "ada", &password("ada")).await.unwrap_err();
        assert!(matches!(error, DirectoryError::Tls { .. }), "{error}");
    }
}

trait WithoutPlain {
    fn without_plain(self) -> Self;
}

impl WithoutPlain for DirectorySettings {
    fn without_plain(self) -> Self {
        Self { plain: false, ..self }
    }
}

#[tokio::test]
async fn groups_are_followed_and_names_mean_one_person() {
    let Some(slapd) = Slapd::start() else { return };
    let (settings, service) = (slapd.settings(), Slapd::service());
    let below = |names: &[&str]| names.iter().map(|name| format!("cn={name},ou=groups,dc=lab")).collect::<Vec<_>>();
    assert_eq!(names(&right(&settings, "ada").await), below(&["artists", "everybody", "round", "staff"]));
    assert_eq!(names(&right(&settings, "o+neil_1").await), below(&["artists", "everybody", "round", "staff"]));
    assert_eq!(names(&right(&settings, "bob").await), below(&["everybody", "night shift", "round", "staff"]));
    let eve = match sign_in(&settings, Some(&service), "EVE", &password("eve")).await {
        Ok(Outcome::Right(found)) => found,
        other => panic!("names are compared without case: {other:?}"),
    };
    assert_eq!((names(&eve), eve.name.as_str()), (vec![], "eve"));
    assert!(right(&settings, "bob").await.is_in("CN=Staff, OU=groups, DC=lab"));

    // No name becomes a filter, and nobody's password is nothing.
    for name in ["*", "a*", "ada)(uid=*", "ada)(|(uid=*", "\\2a", "nobody", "", "ada\0"] {
        let said = sign_in(&settings, Some(&service), name, &password("ada")).await.unwrap();
        assert!(matches!(said, Outcome::Unknown | Outcome::Wrong), "{name:?}: {said:?}");
        assert_eq!(look_up(&settings, Some(&service), name).await.unwrap(), None, "{name:?}");
    }
    assert_eq!(sign_in(&settings, Some(&service), "ada", &"".into()).await.unwrap(), Outcome::Wrong);
    let twins = look_up(&settings, Some(&service), "twin").await.unwrap_err();
    assert!(matches!(twins, DirectoryError::Several { count: 2, .. }), "{twins}");

    // With a template there is no service account, and who binds is who is found.
    let template =
        DirectorySettings { bind_dn: None, template: Some("uid={name},ou=people,dc=lab".into()), ..slapd.settings() };
    let ada = sign_in(&template, None, "ada", &password("ada")).await.unwrap();
    assert!(matches!(&ada, Outcome::Right(found) if found.is_in("cn=staff,ou=groups,dc=lab")), "{ada:?}");
    let plus = sign_in(&template, None, "o+neil_1", &password("o+neil_1")).await.unwrap();
    assert!(matches!(plus, Outcome::Right(_)), "{plus:?}");
    assert_eq!(sign_in(&template, None, "ada", &password("bob")).await.unwrap(), Outcome::Wrong);
    assert_eq!(
        sign_in(&template, None, "ada,ou=people,dc=lab", &password("ada")).await.unwrap(),
        Outcome::Wrong,
        "a name does not end the part of the name that it stands in"
    );
    let nobody = look_up(&template, None, "ada").await.unwrap_err();
    assert!(matches!(nobody, DirectoryError::Service { .. }), "{nobody}");
}

#[tokio::test]
async fn who_was_locked_renamed_or_removed_is_told() {
    let Some(slapd) = Slapd::start() else { return };
    let (settings, service) = (slapd.settings(), Slapd::service());
    let (ada, bob, eve) = (right(&settings, "ada").await, right(&settings, "bob").await, right(&settings, "eve").await);
    let ids =
        [ada.external_id.clone(), bob.external_id.clone(), eve.external_id.clone(), uuid::Uuid::nil().to_string()];
    let again = async || {
        let found = look_again(&settings, Some(&service), &ids).await.unwrap();
        found.into_iter().map(|(_, found)| found.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(again().await.len(), 3);

    slapd.lock("ada");
    slapd.change("dn: uid=bob,ou=people,dc=lab\nchangetype: modrdn\nnewrdn: uid=robert\ndeleteoldrdn: 1\n");
    slapd.change("dn: uid=eve,ou=people,dc=lab\nchangetype: delete\n");
    let found = again().await;
    assert_eq!(found.len(), 2);
    let of = |id: &str| found.iter().find(|one| one.external_id == id).unwrap();
    assert!(of(&ada.external_id).disabled);
    assert_eq!((of(&bob.external_id).name.as_str(), of(&bob.external_id).disabled), ("robert", false));
    // This directory lets even such people bind; whoever asks is told.
    let locked = sign_in(&settings, Some(&service), "ada", &password("ada")).await.unwrap();
    assert!(matches!(&locked, Outcome::Right(found) if found.disabled), "{locked:?}");
}

#[tokio::test]
async fn what_is_no_directory_costs_an_error_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // A web server; what announces two gigabytes; what answers another question; what hangs up.
    let answers: [&[u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0, 0],
        &[0x30, 0x0c, 0x02, 0x01, 0x09, 0x61, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00],
        b"",
    ];
    tokio::spawn(async move {
        for answer in answers.iter().cycle() {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer).await.ok();
            stream.shutdown().await.ok();
        }
    });
    let settings = DirectorySettings {
        url: format!("ldap://127.0.0.1:{port}"),
        plain: true,
        bind_dn: Some(SERVICE.into()),
        base: "dc=lab".into(),
        ..DirectorySettings::default()
    };
    let began = std::time::Instant::now();
    for _ in 0..answers.len() {
        look_up(&settings, Some(&Slapd::service()), "ada").await.unwrap_err();
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());

    let Some(slapd) = Slapd::start() else { return };
    let wrong = look_up(&slapd.settings(), Some(&"wrong".into()), "ada").await.unwrap_err();
    assert!(matches!(&wrong, DirectoryError::Service { why, .. } if why.contains("invalid credentials")), "{wrong}");
    let nowhere = DirectorySettings { base: "dc=elsewhere".into(), ..slapd.settings() };
    let refused = look_up(&nowhere, Some(&Slapd::service()), "ada").await.unwrap_err();
    assert!(matches!(&refused, DirectoryError::Refused { why, .. } if why.contains("no such object")), "{refused}");
    let broken = DirectorySettings { user_filter: Some("(uid={name}".into()), ..slapd.settings() };
    let refused = look_up(&broken, Some(&Slapd::service()), "ada").await.unwrap_err();
    assert!(matches!(&refused, DirectoryError::Refused { why, .. } if why.contains("filter")), "{refused}");
    let url = format!("ldaps://localhost:{}", slapd.tls);
    drop(slapd);
    let gone = DirectorySettings { url, ..settings.clone() };
    let gone = DirectorySettings { plain: false, ..gone };
    let error = look_up(&gone, Some(&Slapd::service()), "ada").await.unwrap_err();
    assert!(matches!(error, DirectoryError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn active_directory_is_asked_in_its_own_way() {
    let Some(samba) = Samba::start() else { return };
    let (settings, service) = (samba.settings(), Samba::service());
    for name in ["ada", "eve"] {
        samba.tool(&["user", "create", name, samba::PASSWORD]);
    }
    for group in ["artists", "staff"] {
        samba.tool(&["group", "add", group]);
    }
    samba.tool(&["group", "addmembers", "artists", "ada"]);
    samba.tool(&["group", "addmembers", "staff", "artists"]);
    let enter = async |settings: &DirectorySettings, name: &str, password: &str| {
        sign_in(settings, Some(&service), name, &password.into()).await.unwrap()
    };
    // By either of their names; groups within groups, and the primary group with what that is in.
    let Outcome::Right(ada) = enter(&settings, "ADA", samba::PASSWORD).await else { panic!("ada is not let in") };
    assert_eq!((ada.name.as_str(), ada.external_id.len(), ada.disabled), ("ada", 36, false));
    for group in [
        "cn=artists,cn=users,dc=lab,dc=example",
        "CN=staff,CN=Users,DC=lab,DC=example",
        "cn=domain users,cn=users,dc=lab,dc=example",
        "cn=users,cn=builtin,dc=lab,dc=example",
    ] {
        assert!(ada.is_in(group), "{group}: {ada:?}");
    }
    assert_eq!(enter(&settings, "ada@lab.example", samba::PASSWORD).await, Outcome::Right(ada.clone()));
    assert_eq!(enter(&settings, "ada", "guess").await, Outcome::Wrong);
    assert_eq!(enter(&settings, "ada", "").await, Outcome::Wrong);
    assert_eq!(enter(&settings, "ad*", samba::PASSWORD).await, Outcome::Unknown);
    let template = DirectorySettings { bind_dn: None, template: Some("{name}@lab.example".into()), ..settings.clone() };
    assert_eq!(enter(&template, "ada", samba::PASSWORD).await, Outcome::Right(ada.clone()));
    assert_eq!(enter(&template, "ada", "guess").await, Outcome::Wrong);

    let Outcome::Right(eve) = enter(&settings, "eve", samba::PASSWORD).await else { panic!("eve is not let in") };
    samba.tool(&["user", "disable", "eve"]);
    samba.tool(&["user", "rename", "ada", "--samaccountname=ada.lovelace"]);
    let ids = [ada.external_id.clone(), eve.external_id.clone()];
    let found = look_again(&settings, Some(&service), &ids).await.unwrap();
    let of = |id: &str| found.iter().find(|(one, _)| one == id).unwrap().1.clone().unwrap();
    assert_eq!((of(&ada.external_id).name.as_str(), of(&ada.external_id).disabled), ("ada.lovelace", false));
    assert!(of(&eve.external_id).disabled);
    assert_eq!(enter(&settings, "eve", samba::PASSWORD).await, Outcome::Wrong);
}
