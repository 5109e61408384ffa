//! People of a real OpenLDAP, from the door to the desktop.

use crate::{
    house::{Browser, House, Reply},
    slapd::{self, SERVICE, SERVICE_PASSWORD, Slapd},
};
use axum::http::{Method, StatusCode};
use oriel_model::Role;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

/// An admin at a house beside a directory.
struct Lab {
    house: House,
    slapd: Slapd,
    root: Browser,
}

impl Lab {
    async fn new() -> Option<Self> {
        let slapd = Slapd::start()?;
        let house = House::new().await;
        let root = house.user("root", Role::Admin).await;
        let root = house.sign_in(&root).await;
        Some(Self { house, slapd, root })
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.house.browse(Some(&self.root), &method, &format!("/api/v1{path}"), body).await
    }

    fn settings(&self) -> Value {
        json!({
            "kind": "ldap",
            "url": format!("ldaps://localhost:{}", self.slapd.tls),
            "ca": self.slapd.ca,
            "bind_dn": SERVICE,
            "base": "dc=lab",
        })
    }

    /// With `more` in its settings.
    async fn add(&self, more: Value) -> Value {
        let mut settings = self.settings();
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let new = json!({"name": "lab", "settings": settings, "password": SERVICE_PASSWORD});
        let made = self.ask(Method::POST, "/directories", Some(new)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
        made.json()
    }

    async fn login(&self, name: &str, password: &str) -> Reply {
        let body = json!({"name": name, "password": password});
        self.house.browse(None, &Method::POST, "/api/v1/login", Some(body)).await
    }

    async fn enter(&self, uid: &str) -> Browser {
        let reply = self.login(uid, slapd::password(uid).expose_secret()).await;
        assert_eq!(reply.status, StatusCode::OK, "{uid}: {}", reply.json());
        let cookie = reply.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let csrf = reply.json()["csrf"].as_str().unwrap().to_owned();
        let user = self.house.broker.find_user(reply.json()["id"].as_str().unwrap()).await.unwrap();
        Browser { user, cookie, csrf }
    }

    async fn me(&self, browser: &Browser) -> Reply {
        self.house.browse(Some(browser), &Method::GET, "/api/v1/me", None).await
    }

    async fn follow(&self) -> String {
        self.house.broker.by_hand("directories").unwrap().round().await.unwrap().0
    }

    async fn groups_of(&self, browser: &Browser) -> Vec<String> {
        let groups = self.house.broker.groups_of(browser.user.id).await.unwrap();
        groups.into_iter().map(|group| group.name).collect()
    }
}

#[tokio::test]
async fn a_person_of_a_directory_is_made_at_the_door_and_follows_it() {
    let Some(lab) = Lab::new().await else { return };
    for name in ["Painters", "Night"] {
        lab.ask(Method::POST, "/groups", Some(json!({"name": name}))).await;
    }
    let refused = lab.login("ada", slapd::password("ada").expose_secret()).await;
    assert_eq!(refused.code(), "bad_credentials", "nobody asks a directory that is not there");
    let directory = lab
        .add(json!({
            "groups": [
                {"dn": "CN=Artists,OU=Groups,DC=lab", "group": "Painters"},
                {"dn": "cn=night shift,ou=groups,dc=lab", "group": "Night"},
            ],
            "roles": [{"dn": "cn=night shift,ou=groups,dc=lab", "role": "helpdesk"}],
        }))
        .await;
    assert_eq!((&directory["has_password"], &directory["people"]), (&json!(true), &json!(0)));

    // What would come of it is said, and nothing is done.
    let test = async |body: Value| lab.ask(Method::POST, "/directories/LAB/test", Some(body)).await;
    let said = test(json!({"name": "bob", "password": "guess"})).await.json();
    assert_eq!((&said["password_right"], &said["role"]), (&json!(false), &json!("helpdesk")), "{said}");
    assert_eq!(said["groups"][0]["name"], "Night");
    assert_eq!(said["person"]["groups"].as_array().unwrap().len(), 4, "{said}");
    assert_eq!(test(json!({"name": "nobody"})).await.json()["person"], Value::Null);
    assert_eq!(lab.house.broker.users().await.unwrap().len(), 1);

    assert_eq!(lab.login("ada", "guess").await.code(), "bad_credentials");
    assert_eq!(lab.login("ada", "").await.code(), "bad_credentials");
    assert_eq!(lab.login("ada)(uid=*", "guess").await.code(), "bad_credentials");
    let (ada, bob) = (lab.enter("ada").await, lab.enter("bob").await);
    assert_eq!((ada.user.role, bob.user.role), (Role::User, Role::Helpdesk));
    assert_eq!(lab.groups_of(&ada).await, ["Painters"]);
    assert_eq!(lab.groups_of(&bob).await, ["Night"]);
    assert_eq!(lab.me(&ada).await.json()["directory"], "lab");
    let users = lab.ask(Method::GET, "/users", None).await.json();
    let from = |name: &str| {
        users["users"].as_array().unwrap().iter().find(|user| user["name"] == name).unwrap()["directory"].clone()
    };
    assert_eq!((from("ada"), from("root")), (json!("lab"), Value::Null));

    // Its password is changed there.
    let body = json!({"current": slapd::password("ada").expose_secret(), "new": "eleven red lamps in a row"});
    let changed = lab.house.browse(Some(&ada), &Method::POST, "/api/v1/me/password", Some(body)).await;
    assert_eq!(changed.code(), "directory_password");
    let reset = lab.ask(Method::PATCH, "/users/ada", Some(json!({"reset_password": true}))).await;
    assert_eq!((reset.status, reset.code()), (StatusCode::CONFLICT, "directory_password".into()));

    // The same person under another name, in other groups, without the role: at once by the reconciler.
    lab.slapd.change(
        "dn: uid=bob,ou=people,dc=lab\nchangetype: modrdn\nnewrdn: uid=robert\ndeleteoldrdn: 1\n\n\
         dn: cn=artists,ou=groups,dc=lab\nchangetype: modify\nadd: member\nmember: uid=robert,ou=people,dc=lab\n\n\
         dn: cn=night shift,ou=groups,dc=lab\nchangetype: delete\n",
    );
    assert_eq!(lab.follow().await, "looked at 2 people of directories");
    let robert = lab.house.broker.find_user("robert").await.unwrap();
    assert_eq!((robert.id, robert.role), (bob.user.id, Role::User));
    assert_eq!(lab.groups_of(&bob).await, ["Painters"]);
    assert_eq!(lab.me(&bob).await.status, StatusCode::UNAUTHORIZED, "a role that went took the session along");
    // Their password is the old name's still.
    assert_eq!(lab.login("robert", slapd::password("bob").expose_secret()).await.status, StatusCode::OK);

    assert_eq!(lab.ask(Method::DELETE, "/directories/lab", None).await.code(), "directory_in_use");
    assert_eq!(lab.ask(Method::DELETE, "/users/robert", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(lab.ask(Method::DELETE, "/users/ada", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(lab.ask(Method::DELETE, "/directories/lab", None).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn whoever_is_locked_there_is_out_here() {
    let Some(lab) = Lab::new().await else { return };
    lab.add(json!({})).await;
    let (ada, eve) = (lab.enter("ada").await, lab.enter("eve").await);
    let token =
        lab.house.browse(Some(&ada), &Method::POST, "/api/v1/tokens", Some(json!({"label": "a script"}))).await.json()
            ["token"]
            .as_str()
            .unwrap()
            .to_owned();
    let by_token = async || {
        let request = axum::http::Request::get("/api/v1/me").header("authorization", format!("Bearer {token}"));
        lab.house.send(request.body("".into()).unwrap()).await.status
    };
    assert_eq!(by_token().await, StatusCode::OK);

    lab.slapd.lock("ada");
    lab.slapd.change("dn: uid=eve,ou=people,dc=lab\nchangetype: delete\n");
    assert_eq!(lab.follow().await, "looked at 2 people of directories; 2 are let in no more");
    assert_eq!(lab.me(&ada).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(lab.me(&eve).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(by_token().await, StatusCode::UNAUTHORIZED);
    let locked = lab.login("ada", slapd::password("ada").expose_secret()).await;
    assert_eq!((locked.status, locked.code()), (StatusCode::FORBIDDEN, "not_let_in".into()));
    assert_eq!(lab.login("eve", slapd::password("eve").expose_secret()).await.code(), "bad_credentials");

    lab.slapd.unlock("ada");
    assert_eq!(lab.follow().await, "looked at 2 people of directories");
    assert_eq!(by_token().await, StatusCode::OK);
    lab.enter("ada").await;
}

#[tokio::test]
async fn a_directory_says_who_may_in_and_never_who_is_ours() {
    let Some(lab) = Lab::new().await else { return };
    lab.ask(Method::POST, "/groups", Some(json!({"name": "Painters"}))).await;
    let mapping = json!([{"dn": "cn=artists,ou=groups,dc=lab", "group": "Painters"}]);
    lab.add(json!({"only_mapped": true, "groups": mapping})).await;
    lab.enter("ada").await;
    let eve = lab.login("eve", slapd::password("eve").expose_secret()).await;
    assert_eq!((eve.status, eve.code()), (StatusCode::FORBIDDEN, "not_let_in".into()));
    assert!(lab.house.broker.find_user("eve").await.is_err(), "whoever is not let in is not made");

    // A name that is somebody's here stays theirs, and their password stays theirs.
    let bob = lab.house.user("bob", Role::Admin).await;
    assert_eq!(lab.login("bob", slapd::password("bob").expose_secret()).await.code(), "bad_credentials");
    lab.house.sign_in(&bob).await;

    // Neither the answers nor the database show the service account's password.
    let shown = lab.ask(Method::GET, "/directories", None).await;
    assert!(!String::from_utf8_lossy(&shown.bytes).contains(SERVICE_PASSWORD));
    let file = std::fs::read(lab.house.database()).unwrap();
    let holds = |file: &[u8]| file.windows(SERVICE_PASSWORD.len()).any(|part| part == SERVICE_PASSWORD.as_bytes());
    assert!(!holds(&file));
    assert!(std::fs::read(lab.house.database().with_extension("db-wal")).is_ok_and(|log| !holds(&log)));

    // It goes to no other server than it was given for.
    let mut settings = lab.settings();
    settings["url"] = json!("ldaps://elsewhere.invalid");
    let moved = lab.ask(Method::PATCH, "/directories/lab", Some(json!({"settings": settings}))).await;
    assert_eq!(moved.code(), "password_missing");
    let moved = json!({"settings": settings, "password": "another one"});
    assert_eq!(lab.ask(Method::PATCH, "/directories/lab", Some(moved)).await.status, StatusCode::OK);
    // One that cannot be asked is no wrong password, and does not say where it is.
    let failed = lab.login("ada", slapd::password("ada").expose_secret()).await;
    assert_eq!((failed.status, failed.code()), (StatusCode::CONFLICT, "directory_failed".into()));
    assert!(!failed.json().to_string().contains("elsewhere"));
    let test = lab.ask(Method::POST, "/directories/lab/test", Some(json!({"name": "ada"}))).await;
    assert_eq!((test.status, test.code()), (StatusCode::BAD_GATEWAY, "directory_failed".into()));
    assert!(test.json()["detail"].as_str().unwrap().contains("elsewhere"), "{}", test.json());
    let error = lab.house.broker.by_hand("directories").unwrap().round().await.unwrap_err();
    assert!(error.to_string().contains("elsewhere"), "{error}");
    // Nobody is put out because of it.
    let ada = lab.house.broker.find_user("ada").await.unwrap();
    assert!(lab.house.store.directory_person(ada.id).await.unwrap().unwrap().active);
    // Switched off, it is not asked.
    let off = lab.ask(Method::PATCH, "/directories/lab", Some(json!({"enabled": false}))).await;
    assert_eq!(off.status, StatusCode::OK);
    let refused = lab.login("ada", slapd::password("ada").expose_secret()).await;
    assert_eq!(refused.code(), "bad_credentials");

    for (bad, code) in [
        (json!({"url": "http://x"}), "bad_directory"),
        (json!({"roles": [{"dn": "cn=a,dc=lab", "role": "pool_admin"}]}), "bad_directory"),
        (json!({"groups": [{"dn": "cn=a,dc=lab", "group": "nobody's"}]}), "not_found"),
    ] {
        let mut settings = lab.settings();
        settings.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        let new = json!({"name": "bad", "settings": settings, "password": "x"});
        assert_eq!(lab.ask(Method::POST, "/directories", Some(new)).await.code(), code, "{bad}");
    }
    let without = json!({"name": "bad", "settings": lab.settings()});
    assert_eq!(lab.ask(Method::POST, "/directories", Some(without)).await.code(), "bad_directory");
}
