//! Second factors: what a password alone opens, codes that are good once, browsers that are remembered, and who may reset.

use crate::house::{Browser, House, PASSWORD, Reply};
use axum::http::{Method, Request, StatusCode};
use oriel_identity::totp_code;
use oriel_model::{Role, Totp, User};
use oriel_server::Peer;
use serde_json::{Value, json};

const DOOR: &str = "/api/v1/me/second-factor";

async fn post(house: &House, browser: &Browser, path: &str, body: Value) -> Reply {
    house.browse(Some(browser), &Method::POST, path, Some(body)).await
}

async fn get(house: &House, browser: &Browser, path: &str) -> Reply {
    house.browse(Some(browser), &Method::GET, path, None).await
}

/// What the app shows, so many steps from now.
fn code(secret: &str, steps: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    totp_code(&secret.to_owned().into(), now.saturating_add_signed(30 * steps)).unwrap()
}

/// Codes may be used anew: time passes for the account.
async fn later(house: &House, user: &User) {
    let totp = house.store.totp(user.id).await.unwrap().unwrap();
    house.store.put_totp(&Totp { last_step: 0, ..totp }, &[]).await.unwrap();
}

/// The secret, and the recovery codes.
async fn set_up(house: &House, browser: &Browser, password: Option<&str>) -> (String, Vec<String>) {
    let new = post(house, browser, "/api/v1/me/second-factor/totp", json!({"password": password})).await;
    assert_eq!(new.status, StatusCode::OK, "{}", new.json());
    let new = new.json();
    let secret = new["secret"].as_str().unwrap().to_owned();
    assert!(new["uri"].as_str().unwrap().contains(&format!("secret={secret}&issuer=Oriel")));
    let confirm = json!({"envelope": new["envelope"], "code": code(&secret, 0)});
    let done = post(house, browser, "/api/v1/me/second-factor/totp/confirm", confirm).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.json());
    let codes = done.json()["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (secret, codes)
}

/// Signs in with the password, with what else the browser holds.
async fn sign_in_holding(house: &House, user: &User, cookie: &str) -> (Browser, Value) {
    let body = json!({"name": user.name, "password": PASSWORD}).to_string();
    let request = Request::post("/api/v1/login").header("content-type", "application/json").header("cookie", cookie);
    let reply = house.send(request.body(body.into()).unwrap()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    let cookie = reply.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let me = reply.json();
    (Browser { user: user.clone(), cookie, csrf: me["csrf"].as_str().unwrap().to_owned() }, me)
}

async fn try_code(house: &House, browser: &Browser, code: &str, from: &str) -> Reply {
    let mut request = Request::post(DOOR)
        .header("origin", crate::house::ORIGIN)
        .header("cookie", &browser.cookie)
        .header("x-oriel-csrf", &browser.csrf)
        .header("content-type", "application/json")
        .body(json!({"code": code}).to_string().into())
        .unwrap();
    request.extensions_mut().insert(Peer::Tcp { address: format!("{from}:5000").parse().unwrap(), tls: false });
    house.send(request).await
}

#[tokio::test]
async fn a_password_alone_opens_nothing_and_a_code_is_good_once() {
    let house = House::new().await;
    let ada = house.user("ada", Role::Admin).await;
    let inside = house.sign_in(&ada).await;
    assert_eq!(get(&house, &inside, DOOR).await.json()["totp_since"], Value::Null);
    // It is not enough to sit at her open browser.
    let begin = "/api/v1/me/second-factor/totp";
    assert_eq!(post(&house, &inside, begin, json!({})).await.code(), "password_missing");
    assert_eq!(post(&house, &inside, begin, json!({"password": "a guess"})).await.code(), "bad_credentials");
    let (secret, codes) = set_up(&house, &inside, Some(PASSWORD)).await;
    assert_eq!(codes.len(), 10);
    let mine = get(&house, &inside, DOOR).await.json();
    assert!(mine["totp_since"].is_string() && mine["recovery_codes_left"] == 10, "{mine}");
    let sealed = house.store.totp(ada.id).await.unwrap().unwrap().secret;
    assert!(sealed.starts_with("oriel:v1:") && !sealed.contains(&secret));

    let (waits, me) = sign_in_holding(&house, &ada, "").await;
    assert_eq!((&me["step"], &me["may_remember"]), (&json!("factor"), &json!(true)));
    assert_eq!(get(&house, &waits, "/api/v1/me").await.json()["step"], "factor");
    for (method, path, body) in [
        (Method::GET, "/api/v1/desktops", None),
        (Method::GET, DOOR, None),
        (Method::POST, "/api/v1/tokens", Some(json!({"label": "mine"}))),
        (Method::POST, "/api/v1/me/password", Some(json!({"current": PASSWORD, "new": "ten green lamps in a row"}))),
        (Method::POST, "/api/v1/me/unlock", Some(json!({"password": PASSWORD}))),
        (Method::POST, "/api/v1/me/second-factor/remove", Some(json!({"password": PASSWORD}))),
        (Method::POST, "/api/v1/me/second-factor/recovery-codes", Some(json!({"password": PASSWORD}))),
        // Nor may a password put another app in the place of hers.
        (Method::POST, begin, Some(json!({"password": PASSWORD}))),
        (Method::POST, "/api/v1/me/second-factor/totp/confirm", Some(json!({"envelope": "x", "code": "123456"}))),
    ] {
        let reply = house.browse(Some(&waits), &method, path, body).await;
        assert_eq!((reply.status, reply.code()), (StatusCode::FORBIDDEN, "second_factor_needed".into()), "{path}");
    }
    // The code that she set it up with was used; the next one is good, here and once.
    assert_eq!(post(&house, &waits, DOOR, json!({"code": code(&secret, 0)})).await.code(), "bad_code");
    let shown = format!(" {} {}", &code(&secret, 1)[..3], &code(&secret, 1)[3..]);
    let reply = post(&house, &waits, DOOR, json!({"code": shown})).await;
    assert_eq!((reply.status, &reply.json()["step"]), (StatusCode::OK, &json!("done")));
    assert!(reply.headers.get("set-cookie").is_none());
    assert_eq!(get(&house, &waits, "/api/v1/desktops").await.status, StatusCode::OK);
    assert_eq!(post(&house, &waits, DOOR, json!({"code": code(&secret, 1)})).await.code(), "no_factor_needed");
    let (other, _) = sign_in_holding(&house, &ada, "").await;
    assert_eq!(post(&house, &other, DOOR, json!({"code": shown})).await.code(), "bad_code");
    // A recovery code, however it is written, and once.
    let written = codes[3].to_uppercase().replace('-', " ");
    assert_eq!(post(&house, &other, DOOR, json!({"code": written})).await.status, StatusCode::OK);
    assert_eq!(get(&house, &other, DOOR).await.json()["recovery_codes_left"], 9);
    let (again, _) = sign_in_holding(&house, &ada, "").await;
    assert_eq!(post(&house, &again, DOOR, json!({"code": codes[3]})).await.code(), "bad_code");

    // New codes end the old ones; what was set up is taken away with the password.
    let renew = "/api/v1/me/second-factor/recovery-codes";
    let fresh = post(&house, &other, renew, json!({"password": PASSWORD})).await.json();
    assert_eq!(post(&house, &again, DOOR, json!({"code": codes[4]})).await.code(), "bad_code");
    assert_eq!(post(&house, &again, DOOR, json!({"code": fresh["codes"][0]})).await.status, StatusCode::OK);
    let remove = "/api/v1/me/second-factor/remove";
    assert_eq!(post(&house, &other, remove, json!({"password": "a guess"})).await.code(), "bad_credentials");
    assert_eq!(post(&house, &other, remove, json!({"password": PASSWORD})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(sign_in_holding(&house, &ada, "").await.1["step"], "done");
    let rows = get(&house, &other, "/api/v1/audit?action=show_second_factor&refused=true").await.json();
    assert_eq!(rows["entries"].as_array().unwrap().len(), 5, "{rows}");
    assert!(rows["entries"].as_array().unwrap().iter().all(|row| row["actor_name"] == "ada"), "{rows}");
}

#[tokio::test]
async fn a_group_asks_and_whoever_has_none_sets_it_up_at_the_door() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let of_root = house.sign_in(&root).await;
    let groups = [("lax", "optional"), ("asks", "required"), ("strict", "every_time")];
    for (name, rule) in groups {
        let made = post(&house, &of_root, "/api/v1/groups", json!({"name": name, "second_factor": rule})).await;
        assert_eq!((made.status, &made.json()["second_factor"]), (StatusCode::CREATED, &json!(rule)));
    }
    let join = async |name: &str| {
        house.broker.add_member(house.broker.find_group(name).await.unwrap().id, ada.id).await.unwrap();
    };
    join("lax").await;
    assert_eq!(sign_in_holding(&house, &ada, "").await.1["step"], "done");
    join("asks").await;
    let (first, me) = sign_in_holding(&house, &ada, "").await;
    let (second, _) = sign_in_holding(&house, &ada, "").await;
    assert_eq!(me["step"], "enrol");
    let refused = get(&house, &first, "/api/v1/desktops").await;
    assert_eq!(refused.code(), "second_factor_needed");
    assert!(refused.json()["next_step"].as_str().unwrap().contains("set one up"));
    assert_eq!(post(&house, &first, DOOR, json!({"code": "123456"})).await.code(), "no_second_factor");
    // What one browser was given is of no use in another.
    let new = post(&house, &second, "/api/v1/me/second-factor/totp", json!({})).await.json();
    let stolen = json!({"envelope": new["envelope"], "code": code(new["secret"].as_str().unwrap(), 0)});
    let confirm = "/api/v1/me/second-factor/totp/confirm";
    assert_eq!(post(&house, &first, confirm, stolen.clone()).await.code(), "enrolment_over");
    let wrong = json!({"envelope": new["envelope"], "code": "000000"});
    assert_eq!(post(&house, &second, confirm, wrong).await.code(), "bad_code");
    let (secret, _) = set_up(&house, &first, None).await;
    assert_eq!(get(&house, &first, "/api/v1/desktops").await.status, StatusCode::OK);
    // The other browser that stood at the door then may not set up its own any more.
    assert_eq!(post(&house, &second, confirm, stolen).await.code(), "second_factor_needed");
    assert_eq!(get(&house, &second, "/api/v1/desktops").await.code(), "second_factor_needed");
    let remove = json!({"password": PASSWORD});
    let kept = post(&house, &first, "/api/v1/me/second-factor/remove", remove).await;
    assert_eq!(kept.code(), "second_factor_required");

    // Remembered, until another group asks every time.
    let (third, _) = sign_in_holding(&house, &ada, "").await;
    let reply = post(&house, &third, DOOR, json!({"code": code(&secret, 1), "remember": true})).await;
    let device = reply.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(sign_in_holding(&house, &ada, &device).await.1["step"], "done");
    join("strict").await;
    let (fourth, me) = sign_in_holding(&house, &ada, &device).await;
    assert_eq!((&me["step"], &me["may_remember"]), (&json!("factor"), &json!(false)));
    later(&house, &ada).await;
    let reply = post(&house, &fourth, DOOR, json!({"code": code(&secret, 0), "remember": true})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    assert!(reply.headers.get("set-cookie").is_none());
    // A change of the group holds from the next sign-in on.
    let looser = json!({"second_factor": "optional"});
    for (name, _) in groups {
        let path = format!("/api/v1/groups/{name}");
        house.browse(Some(&of_root), &Method::PATCH, &path, Some(looser.clone())).await;
    }
    assert_eq!(sign_in_holding(&house, &ada, &device).await.1["step"], "done");
}

#[tokio::test]
async fn a_browser_is_remembered_for_its_person_until_it_is_forgotten() {
    let house = House::new().await;
    let (ada, bob) = (house.user("ada", Role::User).await, house.user("bob", Role::User).await);
    let (of_ada, of_bob) = (house.sign_in(&ada).await, house.sign_in(&bob).await);
    let (secret, _) = set_up(&house, &of_ada, Some(PASSWORD)).await;
    set_up(&house, &of_bob, Some(PASSWORD)).await;
    let remember = async || {
        later(&house, &ada).await;
        let (waits, _) = sign_in_holding(&house, &ada, "").await;
        let reply = post(&house, &waits, DOOR, json!({"code": code(&secret, 0), "remember": true})).await;
        let set = reply.headers["set-cookie"].to_str().unwrap().to_owned();
        for part in ["__Host-oriel-device=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age=2592000"] {
            assert!(set.contains(part), "{set}");
        }
        set.split(';').next().unwrap().to_owned()
    };
    let step = async |who: &User, cookie: &str| sign_in_holding(&house, who, cookie).await.1["step"].clone();
    let device = remember().await;
    assert_eq!(step(&ada, &device).await, "done");
    assert_eq!(step(&bob, &device).await, "factor", "it is hers");
    assert_eq!(step(&ada, "__Host-oriel-device=made-up").await, "factor");
    let browsers = get(&house, &of_ada, DOOR).await.json()["browsers"].clone();
    let path = format!("/api/v1/me/browsers/{}", browsers[0]["id"].as_str().unwrap());
    assert_eq!(house.browse(Some(&of_bob), &Method::DELETE, &path, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.browse(Some(&of_ada), &Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(step(&ada, &device).await, "factor");

    // With the password that it stood beside it goes, too; who changes it stays inside.
    let device = remember().await;
    let change = json!({"current": PASSWORD, "new": "nine blue kettles on a shelf"});
    let changed = post(&house, &of_ada, "/api/v1/me/password", change).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.json());
    let cookie = changed.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let after = Browser { cookie, ..of_ada };
    assert_eq!(get(&house, &after, "/api/v1/me").await.json()["step"], "done");
    assert!(
        !house
            .store
            .is_remembered(ada.id, &oriel_identity::sha256_hex(&device[21..]), oriel_model::Micros(0))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn whoever_guesses_codes_waits_and_locks_nobody_out() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    let (secret, codes) = set_up(&house, &house.sign_in(&ada).await, Some(PASSWORD)).await;
    let (waits, _) = sign_in_holding(&house, &ada, "").await;
    // From one address a few, whatever else is tried there.
    for _ in 0..4 {
        assert_eq!(try_code(&house, &waits, "000000", "192.0.2.1").await.code(), "bad_code");
    }
    let slow = try_code(&house, &waits, &code(&secret, 1), "192.0.2.1").await;
    assert_eq!((slow.status, slow.code()), (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts".into()));
    // From many addresses, which only helps whoever has the password, some more.
    let mut tried = 4;
    for n in 2..60 {
        match try_code(&house, &waits, "000000", &format!("192.0.2.{n}")).await.status {
            StatusCode::UNAUTHORIZED => tried += 1,
            _ => break,
        }
    }
    // One of the first attempts was let in at no count: setting up gives its own back.
    assert_eq!(tried, 30);
    assert_eq!(try_code(&house, &waits, &code(&secret, 1), "198.51.100.7").await.status, StatusCode::TOO_MANY_REQUESTS);
    // Her recovery codes still let her in, and her password is not slowed down.
    assert_eq!(try_code(&house, &waits, &codes[0], "198.51.100.8").await.status, StatusCode::OK);
    assert_eq!(sign_in_holding(&house, &ada, "").await.1["step"], "factor");
}

#[tokio::test]
async fn administrators_reset_and_programs_are_not_asked() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let of_help = house.sign_in(&house.user("help", Role::Helpdesk).await).await;
    let (of_root, of_ada) = (house.sign_in(&root).await, house.sign_in(&ada).await);
    let token = post(&house, &of_ada, "/api/v1/tokens", json!({"label": "laptop"})).await.json();
    let by_token = async |method: Method, path: &str, body: &str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", token["token"].as_str().unwrap()));
        house.send(request.body(body.to_owned().into()).unwrap()).await
    };
    set_up(&house, &of_ada, Some(PASSWORD)).await;
    assert_eq!(by_token(Method::GET, "/api/v1/desktops", "").await.status, StatusCode::OK);
    let own = by_token(Method::POST, "/api/v1/me/second-factor/totp", r#"{"password": "x"}"#).await;
    assert_eq!(own.code(), "browser_only");

    let path = "/api/v1/users/ada/second-factor";
    let listed = get(&house, &of_root, "/api/v1/users").await.json();
    let has = |name: &str| {
        listed["users"].as_array().unwrap().iter().find(|user| user["name"] == name).unwrap()["second_factor"].clone()
    };
    assert_eq!((has("ada"), has("root")), (json!(true), json!(false)));
    assert_eq!(get(&house, &of_help, path).await.json()["recovery_codes_left"], 10);
    let reset = async |who: &Browser| house.browse(Some(who), &Method::DELETE, path, None).await;
    assert_eq!(reset(&of_help).await.code(), "admin_only");
    assert_eq!(reset(&of_ada).await.code(), "admin_only");
    assert_eq!(reset(&of_root).await.status, StatusCode::NO_CONTENT);
    assert_eq!(reset(&of_root).await.code(), "no_second_factor");
    assert_eq!(get(&house, &of_ada, "/api/v1/me").await.code(), "not_signed_in");
    assert_eq!(sign_in_holding(&house, &ada, "").await.1["step"], "done");
    let rows = get(&house, &of_root, "/api/v1/audit?action=reset_second_factor").await.json();
    assert_eq!(rows["entries"].as_array().unwrap().len(), 4, "{rows}");
}
