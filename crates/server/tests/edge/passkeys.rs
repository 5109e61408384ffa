//! Passkeys, from the making to the door, with an authenticator in software that is honest or not.

use crate::{
    authenticator::{Authenticator, b64, bytes},
    house::{Browser, House, PASSWORD, Reply},
};
use axum::http::{Method, Request, StatusCode};
use oriel_model::{Role, User};
use oriel_server::Peer;
use serde_json::{Value, json};

const HOST: &str = "oriel.test:8470";
const ORIGIN: &str = "https://oriel.test:8470";

/// What a page of one origin sends.
struct Page<'a> {
    house: &'a House,
    host: &'static str,
    tls: bool,
    address: &'static str,
}

impl<'a> Page<'a> {
    fn new(house: &'a House) -> Self {
        Self { house, host: HOST, tls: true, address: "192.0.2.1" }
    }

    async fn send(&self, cookie: &str, csrf: &str, path: &str, body: Option<&Value>) -> Reply {
        let scheme = if self.tls { "https" } else { "http" };
        let mut request = Request::post(format!("/api/v1{path}"))
            .header("host", self.host)
            .header("origin", format!("{scheme}://{}", self.host))
            .header("cookie", cookie)
            .header("x-oriel-csrf", csrf)
            .header("content-type", "application/json")
            .body(body.map(Value::to_string).unwrap_or_default().into())
            .unwrap();
        let address = format!("{}:5000", self.address).parse().unwrap();
        request.extensions_mut().insert(Peer::Tcp { address, tls: self.tls });
        self.house.send(request).await
    }

    async fn post(&self, browser: &Browser, path: &str, body: Value) -> Reply {
        self.send(&browser.cookie, &browser.csrf, path, Some(&body)).await
    }

    /// Makes a passkey with the password, or without at the door.
    async fn add(&self, browser: &Browser, device: &mut Authenticator, password: Option<&str>) -> Value {
        let asked = self.post(browser, "/me/passkeys/new", json!({"password": password})).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.json());
        let asked = asked.json();
        let made = device.create(&asked["options"]);
        let new = json!({"envelope": asked["envelope"], "label": "my phone", "credential": made});
        let added = self.post(browser, "/me/passkeys", new).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.json());
        added.json()
    }

    /// The cookie, and what the authenticator is asked.
    async fn knock(&self) -> (String, Value) {
        let asked = self.send("", "", "/sign-in/passkey", None).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.json());
        let set = asked.headers["set-cookie"].to_str().unwrap().to_owned();
        for part in ["__Host-oriel-passkey=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age=300"] {
            assert!(set.contains(part), "{set}");
        }
        let asked = asked.json();
        assert_eq!((&asked["envelope"], &asked["options"]["allowCredentials"]), (&json!(""), &json!([])));
        assert_eq!(asked["options"]["userVerification"], "required");
        (set.split(';').next().unwrap().to_owned(), asked["options"].clone())
    }

    async fn enter(&self, cookie: &str, credential: &Value) -> Reply {
        self.send(cookie, "", "/sign-in/passkey/finish", Some(&json!({"credential": credential}))).await
    }

    async fn sign_in(&self, user: &User) -> (Browser, Value) {
        let reply = self.send("", "", "/login", Some(&json!({"name": user.name, "password": PASSWORD}))).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
        (browser(user, &reply), reply.json())
    }
}

fn browser(user: &User, reply: &Reply) -> Browser {
    let set = reply.headers.get_all("set-cookie").iter().map(|set| set.to_str().unwrap());
    let mut cookie = set.filter(|set| set.starts_with("__Host-oriel=")).map(|set| set.split(';').next().unwrap());
    let csrf = reply.json()["csrf"].as_str().unwrap().to_owned();
    Browser { user: user.clone(), cookie: cookie.next_back().unwrap().to_owned(), csrf }
}

async fn get(house: &House, browser: &Browser, path: &str) -> Value {
    house.browse(Some(browser), &Method::GET, &format!("/api/v1{path}"), None).await.json()
}

#[tokio::test]
async fn a_passkey_opens_the_door_alone_and_each_question_once() {
    let house = House::new().await;
    let page = Page::new(&house);
    let (ada, root) = (house.user("ada", Role::User).await, house.user("root", Role::Admin).await);
    let inside = house.sign_in(&ada).await;
    let mut device = Authenticator::at(ORIGIN);

    // It is not enough to sit at her open browser.
    assert_eq!(page.post(&inside, "/me/passkeys/new", json!({})).await.code(), "password_missing");
    let guess = json!({"password": "a guess"});
    assert_eq!(page.post(&inside, "/me/passkeys/new", guess).await.code(), "bad_credentials");
    let added = page.add(&inside, &mut device, Some(PASSWORD)).await;
    let passkey = &added["passkey"];
    assert_eq!((&passkey["label"], &passkey["host"]), (&json!("my phone"), &json!("oriel.test")));
    assert_eq!((&passkey["alone"], &passkey["synced"]), (&json!(true), &json!(false)));
    assert_eq!(added["codes"].as_array().unwrap().len(), 10, "it is the first factor");
    assert!(device.handle(0).len() >= 16 && !device.handle(0).windows(3).any(|three| three == b"ada"));
    let mine = get(&house, &inside, "/me/second-factor").await;
    assert_eq!((&mine["totp_since"], &mine["passkeys"][0]["last_used_at"]), (&Value::Null, &Value::Null));
    assert_eq!(mine["recovery_codes_left"], 10);

    // Alone, which counts as both.
    let (cookie, options) = page.knock().await;
    let answer = device.get(&options);
    let entered = page.enter(&cookie, &answer).await;
    assert_eq!((entered.status, &entered.json()["step"]), (StatusCode::OK, &json!("done")), "{}", entered.json());
    assert_eq!(entered.json()["name"], "ada");
    let of_ada = browser(&ada, &entered);
    assert_eq!(get(&house, &of_ada, "/desktops").await["desktops"], json!([]));
    assert!(get(&house, &of_ada, "/me/second-factor").await["passkeys"][0]["last_used_at"].is_string());
    // Neither the answer nor the question again, nor in another browser.
    assert_eq!(page.enter(&cookie, &answer).await.code(), "passkey_over");
    assert_eq!(page.enter(&cookie, &device.get(&options)).await.code(), "passkey_over");
    assert_eq!(page.enter("", &device.get(&options)).await.code(), "passkey_over");
    let (other, _) = page.knock().await;
    assert_eq!(page.enter(&other, &device.get(&options)).await.code(), "bad_passkey", "another question");
    assert_eq!(page.enter("__Host-oriel-passkey=made-up", &device.get(&options)).await.code(), "passkey_over");

    // With the password it is the second factor.
    let (waits, me) = page.sign_in(&ada).await;
    assert_eq!((&me["step"], &me["factors"]), (&json!("factor"), &json!(["passkey"])));
    assert_eq!(get(&house, &waits, "/me").await["factors"], json!(["passkey"]));
    assert_eq!(get(&house, &waits, "/desktops").await["code"], "second_factor_needed");
    assert_eq!(
        page.post(&waits, "/me/passkeys/new", json!({"password": PASSWORD})).await.code(),
        "second_factor_needed"
    );
    let asked = page.send(&waits.cookie, &waits.csrf, "/me/second-factor/passkey", None).await.json();
    assert_eq!(asked["options"]["allowCredentials"].as_array().unwrap().len(), 1);
    // A finger is not asked for after a password.
    device.verifies = false;
    let shown = json!({"envelope": asked["envelope"], "credential": device.get(&asked["options"]), "remember": true});
    let (stranger, _) = page.sign_in(&ada).await;
    let stolen = page.post(&stranger, "/me/second-factor/passkey/finish", shown.clone()).await;
    assert_eq!(stolen.code(), "passkey_over", "it belongs to another browser");
    let whole = page.post(&waits, "/me/second-factor/passkey/finish", shown.clone()).await;
    assert_eq!((whole.status, &whole.json()["step"]), (StatusCode::OK, &json!("done")), "{}", whole.json());
    assert!(whole.headers["set-cookie"].to_str().unwrap().starts_with("__Host-oriel-device="));
    assert_eq!(get(&house, &waits, "/desktops").await["desktops"], json!([]));
    assert_eq!(page.post(&stranger, "/me/second-factor/passkey/finish", shown).await.code(), "passkey_over");

    // Recovery codes go on as they are.
    let code = json!({"code": added["codes"][0]});
    assert_eq!(page.post(&stranger, "/me/second-factor", code).await.status, StatusCode::OK);

    // Alone it is: without a finger there is no way in.
    let (cookie, options) = page.knock().await;
    assert_eq!(page.enter(&cookie, &device.get(&options)).await.code(), "passkey_unverified");
    device.verifies = true;

    let listed = get(&house, &house.sign_in(&root).await, "/users").await;
    let listed = listed["users"].as_array().unwrap().iter().find(|user| user["name"] == "ada").unwrap().clone();
    assert_eq!((&listed["second_factor"], &listed["passkeys"]), (&json!(true), &json!(1)));
    // The audit knows who came, and what was refused of whom.
    let of_root = house.sign_in(&root).await;
    let rows = get(&house, &of_root, "/audit?action=passkey_sign_in").await;
    let rows = rows["entries"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["actor_name"] == "ada" && row["outcome"] == 200), "{rows:?}");
    assert!(rows.iter().any(|row| row["code"] == "passkey_over"), "{rows:?}");

    // Removed with the password, and gone for good.
    let remove = format!("/me/passkeys/{}/remove", passkey["id"].as_str().unwrap());
    assert_eq!(page.post(&of_ada, &remove, json!({"password": "a guess"})).await.code(), "bad_credentials");
    assert_eq!(page.post(&of_root, &remove, json!({"password": PASSWORD})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(page.post(&of_ada, &remove, json!({"password": PASSWORD})).await.status, StatusCode::NO_CONTENT);
    let elsewhere = Page { address: "192.0.2.9", ..Page::new(&house) };
    let (cookie, options) = elsewhere.knock().await;
    assert_eq!(elsewhere.enter(&cookie, &device.get(&options)).await.code(), "bad_passkey");
    assert_eq!(page.sign_in(&ada).await.1["step"], "done");
    assert_eq!(get(&house, &of_ada, "/me/second-factor").await["recovery_codes_left"], 0);
}

#[tokio::test]
async fn whoever_lies_does_not_come_in() {
    let house = House::new().await;
    let page = Page::new(&house);
    let (ada, eve) = (house.user("ada", Role::User).await, house.user("eve", Role::User).await);
    let (of_ada, of_eve) = (house.sign_in(&ada).await, house.sign_in(&eve).await);
    let mut device = Authenticator::at(ORIGIN);
    page.add(&of_ada, &mut device, Some(PASSWORD)).await;
    let mut hers = Authenticator::at(ORIGIN);
    page.add(&of_eve, &mut hers, Some(PASSWORD)).await;
    assert_ne!(device.handle(0), hers.handle(0));

    type Lie = fn(&mut Authenticator);
    let lies: [Lie; 4] = [
        |device| device.origin = "https://oriel.test".into(),
        |device| device.rp_id = Some("evil.test".into()),
        |device| device.framed = true,
        |device| device.present = false,
    ];
    let truth: Lie = |device| {
        device.origin = ORIGIN.into();
        device.rp_id = None;
        device.framed = false;
        device.present = true;
    };
    for (n, lie) in lies.into_iter().enumerate() {
        // Each from elsewhere: whoever fails often waits.
        let address = ["192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14"][n];
        let page = Page { address, ..Page::new(&house) };
        let (cookie, options) = page.knock().await;
        lie(&mut device);
        let refused = page.enter(&cookie, &device.get(&options)).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::UNAUTHORIZED, "bad_passkey".into()), "{n}");
        assert!(refused.headers.get_all("set-cookie").iter().next().is_none());
        truth(&mut device);
    }
    // Her signature under his name, his handle beside her signature, no handle, no such credential, and bytes of no kind.
    let page = Page { address: "192.0.2.20", ..Page::new(&house) };
    let (cookie, options) = page.knock().await;
    let (honest, of_hers) = (device.get(&options), hers.get(&options));
    let mut swapped = of_hers.clone();
    swapped["response"]["userHandle"] = honest["response"]["userHandle"].clone();
    assert_eq!(page.enter(&cookie, &swapped).await.code(), "bad_passkey");
    for (part, value) in [
        ("userHandle", Value::Null),
        ("signature", of_hers["response"]["signature"].clone()),
        ("signature", json!("no base64!")),
        ("authenticatorData", json!("")),
        ("clientDataJSON", json!(b64("{}"))),
    ] {
        let page = Page { address: "192.0.2.21", ..Page::new(&house) };
        let (cookie, options) = page.knock().await;
        let mut wrong = device.get(&options);
        wrong["response"][part] = value;
        let code = page.enter(&cookie, &wrong).await.code();
        assert!(["bad_passkey", "too_many_attempts"].contains(&code.as_str()), "{part}: {code}");
    }
    // Guessing waits, as with passwords, and where it does nothing is used up.
    let page = Page { address: "192.0.2.22", ..Page::new(&house) };
    for _ in 0..4 {
        let (cookie, options) = page.knock().await;
        let mut wrong = device.get(&options);
        wrong["id"] = json!(b64([1; 32]));
        assert_eq!(page.enter(&cookie, &wrong).await.code(), "bad_passkey");
    }
    let (cookie, options) = page.knock().await;
    assert_eq!(page.enter(&cookie, &device.get(&options)).await.status, StatusCode::TOO_MANY_REQUESTS);

    // After her password his passkey is none of hers.
    let page = Page::new(&house);
    let (waits, _) = page.sign_in(&eve).await;
    let asked = page.send(&waits.cookie, &waits.csrf, "/me/second-factor/passkey", None).await.json();
    let shown = json!({"envelope": asked["envelope"], "credential": device.get_with(0, &asked["options"])});
    assert_eq!(page.post(&waits, "/me/second-factor/passkey/finish", shown).await.code(), "bad_passkey");

    // Nobody's authenticator makes one in another's browser, or twice.
    let asked = page.post(&of_ada, "/me/passkeys/new", json!({"password": PASSWORD})).await.json();
    let known: Vec<_> = asked["options"]["excludeCredentials"].as_array().unwrap().iter().collect();
    assert_eq!(known.len(), 1);
    assert_eq!(bytes(&asked["options"]["user"]["id"]), device.handle(0), "one person is one to authenticators");
    let made = device.create(&asked["options"]);
    let new = json!({"envelope": asked["envelope"], "label": "second", "credential": made});
    assert_eq!(page.post(&of_eve, "/me/passkeys", new.clone()).await.code(), "passkey_over");
    let nameless = json!({"envelope": asked["envelope"], "label": " ", "credential": made});
    assert_eq!(page.post(&of_ada, "/me/passkeys", nameless).await.code(), "bad_label");
    let added = page.post(&of_ada, "/me/passkeys", new.clone()).await;
    assert_eq!((added.status, &added.json()["codes"]), (StatusCode::CREATED, &json!([])));
    assert_eq!(page.post(&of_ada, "/me/passkeys", new).await.code(), "passkey_over");
}

#[tokio::test]
async fn a_counter_that_goes_back_is_refused_and_told() {
    let house = House::new().await;
    let page = Page::new(&house);
    let (ada, root) = (house.user("ada", Role::User).await, house.user("root", Role::Admin).await);
    let mut device = Authenticator::at(ORIGIN);
    device.counter = Some(7);
    page.add(&house.sign_in(&ada).await, &mut device, Some(PASSWORD)).await;
    let enter = async |device: &mut Authenticator| {
        let (cookie, options) = page.knock().await;
        page.enter(&cookie, &device.get(&options)).await
    };
    assert_eq!(enter(&mut device).await.status, StatusCode::OK);
    for back in [8, 3, 0] {
        device.counter = Some(back);
        let refused = enter(&mut device).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "passkey_copied".into()), "{back}");
    }
    device.counter = Some(100);
    assert_eq!(enter(&mut device).await.status, StatusCode::OK);
    // Also after the password.
    let (waits, _) = page.sign_in(&ada).await;
    let asked = page.send(&waits.cookie, &waits.csrf, "/me/second-factor/passkey", None).await.json();
    device.counter = Some(50);
    let shown = json!({"envelope": asked["envelope"], "credential": device.get(&asked["options"])});
    assert_eq!(page.post(&waits, "/me/second-factor/passkey/finish", shown).await.code(), "passkey_copied");
    let of_root = house.sign_in(&root).await;
    let rows = get(&house, &of_root, "/audit?refused=true").await;
    let told: Vec<_> =
        rows["entries"].as_array().unwrap().iter().filter(|row| row["code"] == "passkey_copied").collect();
    assert_eq!(told.len(), 4, "{rows}");
    assert!(told.iter().all(|row| row["actor_name"] == "ada"), "{rows}");
    // One that never counts is let in each time.
    let mut still = Authenticator::at(ORIGIN);
    still.counter = None;
    page.add(&house.sign_in(&root).await, &mut still, Some(PASSWORD)).await;
    for _ in 0..2 {
        assert_eq!(enter(&mut still).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_group_asks_and_a_passkey_is_enough() {
    let house = House::new().await;
    let page = Page::new(&house);
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let of_root = house.sign_in(&root).await;
    let strict = json!({"name": "strict", "second_factor": "every_time"});
    assert_eq!(page.post(&of_root, "/groups", strict).await.status, StatusCode::CREATED);
    house.broker.add_member(house.broker.find_group("strict").await.unwrap().id, ada.id).await.unwrap();
    let (waits, me) = page.sign_in(&ada).await;
    assert_eq!((&me["step"], &me["factors"]), (&json!("enrol"), &json!([])));
    let (late, _) = page.sign_in(&ada).await;
    let mut device = Authenticator::at(ORIGIN);
    let added = page.add(&waits, &mut device, None).await;
    assert_eq!(added["codes"].as_array().unwrap().len(), 10);
    assert_eq!(get(&house, &waits, "/me").await["step"], "done");
    assert_eq!(page.post(&late, "/me/passkeys/new", json!({})).await.code(), "second_factor_needed");
    // Every time, and alone.
    let (cookie, options) = page.knock().await;
    assert_eq!(page.enter(&cookie, &device.get(&options)).await.json()["step"], "done");
    // The last one stays while the group asks.
    let remove = format!("/me/passkeys/{}/remove", added["passkey"]["id"].as_str().unwrap());
    assert_eq!(page.post(&waits, &remove, json!({"password": PASSWORD})).await.code(), "second_factor_required");
    for keep in [false, true] {
        let off = json!({"password": PASSWORD, "keep_passkeys": keep});
        let reply = page.post(&waits, "/me/second-factor/remove", off).await;
        let expected = if keep { StatusCode::NO_CONTENT } else { StatusCode::CONFLICT };
        assert_eq!(reply.status, expected, "{}", reply.json());
    }
    assert_eq!(get(&house, &waits, "/me/second-factor").await["recovery_codes_left"], 10);
    let second = page.add(&waits, &mut device, Some(PASSWORD)).await;
    assert_eq!(second["codes"], json!([]));
    assert_eq!(page.post(&waits, &remove, json!({"password": PASSWORD})).await.status, StatusCode::NO_CONTENT);

    // An administrator takes all of it away, and the person is signed out.
    let reset = house.browse(Some(&of_root), &Method::DELETE, "/api/v1/users/ada/second-factor", None).await;
    assert_eq!(reset.status, StatusCode::NO_CONTENT);
    assert_eq!(get(&house, &waits, "/me").await["code"], "not_signed_in");
    let (cookie, options) = page.knock().await;
    assert_eq!(page.enter(&cookie, &device.get(&options)).await.code(), "bad_passkey");
    assert_eq!(page.sign_in(&ada).await.1["step"], "enrol");

    // Whoever is disabled is not let in, whatever they hold.
    let mut of_eve = Authenticator::at(ORIGIN);
    let eve = house.user("eve", Role::User).await;
    page.add(&house.sign_in(&eve).await, &mut of_eve, Some(PASSWORD)).await;
    let disable = json!({"disabled": true});
    house.browse(Some(&of_root), &Method::PATCH, "/api/v1/users/eve", Some(disable)).await;
    let (cookie, options) = page.knock().await;
    assert_eq!(page.enter(&cookie, &of_eve.get(&options)).await.code(), "not_let_in");
}

#[tokio::test]
async fn passkeys_need_a_name_and_encryption() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    let inside = house.sign_in(&ada).await;
    for (host, tls, works) in [
        ("localhost:8470", false, true),
        ("oriel.test:8470", true, true),
        ("oriel.test:8470", false, false),
        ("127.0.0.1:8470", false, false),
        ("192.0.2.7", true, false),
        ("[::1]:8470", true, false),
    ] {
        let page = Page { host, tls, ..Page::new(&house) };
        let asked = page.send("", "", "/sign-in/passkey", None).await;
        let made = page.post(&inside, "/me/passkeys/new", json!({"password": PASSWORD})).await;
        for reply in [asked, made] {
            let (status, code) = if works { (StatusCode::OK, "") } else { (StatusCode::CONFLICT, "no_passkeys_here") };
            assert_eq!((reply.status, reply.code().as_str()), (status, code), "{host} {}", reply.json());
        }
    }
    // One that was made on localhost works nowhere else, and its person is told where.
    let mut device = Authenticator::at("http://localhost:8470");
    let local = Page { host: "localhost:8470", tls: false, ..Page::new(&house) };
    local.add(&inside, &mut device, Some(PASSWORD)).await;
    let page = Page::new(&house);
    let (waits, _) = page.sign_in(&ada).await;
    let asked = page.send(&waits.cookie, &waits.csrf, "/me/second-factor/passkey", None).await;
    assert_eq!(asked.code(), "no_passkey_here");
    assert!(asked.json()["detail"].as_str().unwrap().contains("localhost"), "{}", asked.json());
    let (cookie, options) = page.knock().await;
    device.origin = ORIGIN.into();
    assert_eq!(page.enter(&cookie, &device.get_with(0, &options)).await.code(), "bad_passkey");
    let (cookie, options) = local.knock().await;
    device.origin = "http://localhost:8470".into();
    assert_eq!(local.enter(&cookie, &device.get(&options)).await.status, StatusCode::OK);
}
