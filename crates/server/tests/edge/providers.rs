//! People who come by a provider, from the button to the desktop, against one that says what the test wants.

use crate::{
    fake_provider::{CLIENT, Fake, Instead, SECRET, unix},
    house::{Browser, House, PASSWORD, Reply},
};
use axum::http::{Method, Request, StatusCode};
use oriel_model::Role;
use serde_json::{Value, json};

/// An admin at a house beside a provider.
struct Lab {
    house: House,
    fake: Fake,
    root: Browser,
    id: String,
}

/// A browser on its way to the provider.
struct OnTheWay {
    url: String,
    cookie: String,
    state: String,
}

fn cookie_of(reply: &Reply, name: &str) -> Option<String> {
    let set = reply.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
    set.filter(|set| set.starts_with(&format!("{name}="))).map(|set| set.split(';').next().unwrap().to_owned()).next()
}

fn place(reply: &Reply) -> String {
    reply.headers["location"].to_str().unwrap().to_owned()
}

impl Lab {
    /// With `more` in the provider's settings.
    async fn new(more: Value) -> Self {
        let (house, fake) = (House::new().await, Fake::start(false).await);
        let root = house.user("root", Role::Admin).await;
        let root = house.sign_in(&root).await;
        let mut lab = Self { house, fake, root, id: String::new() };
        for name in ["Painters", "Night"] {
            lab.ask(Method::POST, "/groups", Some(json!({"name": name}))).await;
        }
        let new = json!({"name": "Lab", "settings": lab.settings(more), "secret": SECRET});
        let made = lab.ask(Method::POST, "/providers", Some(new)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
        made.json()["id"].as_str().unwrap().clone_into(&mut lab.id);
        assert_eq!(made.json()["callback_path"], format!("/api/v1/sign-in/oidc/{}/callback", lab.id));
        lab
    }

    fn settings(&self, more: Value) -> Value {
        let mut settings = json!({"issuer": self.fake.issuer, "client_id": CLIENT, "scopes": ["profile"]});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.house.browse(Some(&self.root), &method, &format!("/api/v1{path}"), body).await
    }

    async fn change(&self, more: Value) {
        let changed = json!({"settings": self.settings(more)});
        let reply = self.ask(Method::PATCH, "/providers/lab", Some(changed)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    }

    async fn try_begin(&self, browser: Option<&Browser>, body: Value) -> Reply {
        let at = format!("/api/v1/sign-in/oidc/{}", self.id);
        self.house.browse(browser, &Method::POST, &at, Some(body)).await
    }

    async fn begin_with(&self, browser: Option<&Browser>, body: Value) -> OnTheWay {
        let reply = self.try_begin(browser, body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
        let set = reply.headers["set-cookie"].to_str().unwrap().to_owned();
        for part in ["__Host-oriel-sign-in=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=900"] {
            assert!(set.contains(part), "{set}");
        }
        let url = reply.json()["url"].as_str().unwrap().to_owned();
        let query: std::collections::HashMap<_, _> =
            url::Url::parse(&url).unwrap().query_pairs().into_owned().collect();
        assert_eq!(query["redirect_uri"], format!("{}/api/v1/sign-in/oidc/{}/callback", crate::house::ORIGIN, self.id));
        let cookie = set.split(';').next().unwrap().to_owned();
        assert!(cookie.len() < 4096 && !cookie.contains(&query["state"]) && !cookie.contains(&query["nonce"]));
        OnTheWay { url, cookie, state: query["state"].clone() }
    }

    async fn begin(&self) -> OnTheWay {
        self.begin_with(None, json!({"next": "/pools?tab=x"})).await
    }

    async fn back(&self, cookie: &str, query: &str) -> Reply {
        let at = format!("/api/v1/sign-in/oidc/{}/callback?{query}", self.id);
        self.house.send(Request::get(at).header("cookie", cookie).body("".into()).unwrap()).await
    }

    /// The provider lets them in, with these claims.
    async fn arrive(&self, claims: Value) -> Reply {
        self.fake.set(|state| state.claims.clone_from(claims.as_object().unwrap()));
        let way = self.begin().await;
        let code = self.fake.code(&way.url);
        self.back(&way.cookie, &format!("code={code}&state={}", way.state)).await
    }

    async fn enter(&self, claims: Value) -> Browser {
        let reply = self.arrive(claims).await;
        assert_eq!((reply.status, place(&reply).as_str()), (StatusCode::SEE_OTHER, "/pools?tab=x"));
        assert_eq!(cookie_of(&reply, "__Host-oriel-sign-in").unwrap(), "__Host-oriel-sign-in=");
        self.inside(&reply).await
    }

    async fn inside(&self, reply: &Reply) -> Browser {
        let cookie = cookie_of(reply, "__Host-oriel").unwrap();
        let me = Request::get("/api/v1/me").header("cookie", &cookie).body("".into()).unwrap();
        let me = self.house.send(me).await.json();
        let user = self.house.broker.find_user(me["id"].as_str().unwrap()).await.unwrap();
        Browser { user, cookie, csrf: me["csrf"].as_str().unwrap().to_owned() }
    }

    async fn me(&self, browser: &Browser) -> Reply {
        self.house.browse(Some(browser), &Method::GET, "/api/v1/me", None).await
    }

    async fn groups_of(&self, browser: &Browser) -> Vec<String> {
        let groups = self.house.broker.groups_of(browser.user.id).await.unwrap();
        groups.into_iter().map(|group| group.name).collect()
    }
}

fn refused(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert_eq!(cookie_of(reply, "__Host-oriel"), None, "nobody who is refused gets a session");
    let place = place(reply);
    place.split_once("refused=").unwrap_or_else(|| panic!("{place}")).1.to_owned()
}

#[tokio::test]
async fn a_person_of_a_provider_is_made_at_the_door_and_follows_it() {
    let mapping = json!({
        "groups": [{"value": "artists", "group": "Painters"}, {"value": "shift", "group": "Night"}],
        "roles": [{"value": "shift", "role": "helpdesk"}],
    });
    let lab = Lab::new(mapping).await;
    let shown = lab.house.browse(None, &Method::GET, "/api/v1/sign-in/oidc", None).await.json();
    assert_eq!(shown, json!({"providers": [{"id": lab.id, "name": "Lab"}]}), "nothing else is told at the door");

    let ada = lab.enter(json!({"sub": "7", "preferred_username": "ada", "groups": ["artists", "others"]})).await;
    assert_eq!((ada.user.name.as_str(), ada.user.role), ("ada", Role::User));
    assert_eq!(lab.groups_of(&ada).await, ["Painters"]);
    let me = lab.me(&ada).await.json();
    assert_eq!((&me["provider"], &me["directory"], &me["step"]), (&json!("Lab"), &Value::Null, &json!("done")));
    let users = lab.ask(Method::GET, "/users", None).await.json();
    let listed = users["users"].as_array().unwrap().iter().find(|user| user["name"] == "ada").unwrap().clone();
    assert_eq!(listed["provider"], "Lab");

    // The same person under another name, in other groups: one account.
    let again = lab.enter(json!({"sub": "7", "preferred_username": "ada.l", "groups": ["shift"]})).await;
    assert_eq!((again.user.id, again.user.name.as_str()), (ada.user.id, "ada.l"));
    assert_eq!(again.user.role, Role::Helpdesk);
    assert_eq!(lab.groups_of(&again).await, ["Night"]);
    assert_eq!(lab.me(&ada).await.status, StatusCode::UNAUTHORIZED, "a role that changed took the session along");
    // Another person of the same name is somebody else.
    let other = lab.enter(json!({"sub": "8", "preferred_username": "ada", "groups": []})).await;
    assert_ne!(other.user.id, ada.user.id);

    // There is no password of theirs here, whatever is guessed.
    for password in ["kept elsewhere", PASSWORD, ""] {
        let body = json!({"name": "ada", "password": password});
        let login = lab.house.browse(None, &Method::POST, "/api/v1/login", Some(body)).await;
        assert_eq!(login.code(), "bad_credentials");
    }
    let body = json!({"current": "kept elsewhere", "new": PASSWORD});
    let changed = lab.house.browse(Some(&again), &Method::POST, "/api/v1/me/password", Some(body)).await;
    assert_eq!(changed.code(), "provider_password");
    let reset = lab.ask(Method::PATCH, "/users/ada", Some(json!({"reset_password": true}))).await;
    assert_eq!(reset.code(), "provider_password");

    // Disabled here, they are not let in.
    lab.ask(Method::PATCH, "/users/ada", Some(json!({"disabled": true}))).await;
    assert_eq!(refused(&lab.arrive(json!({"sub": "8"})).await), "not_let_in");

    assert_eq!(lab.ask(Method::DELETE, "/providers/lab", None).await.code(), "provider_in_use");
    for name in ["ada", "ada.l"] {
        assert_eq!(lab.ask(Method::DELETE, &format!("/users/{name}"), None).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(lab.ask(Method::DELETE, "/providers/lab", None).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_is_not_this_browsers_sign_in_opens_nothing() {
    let lab = Lab::new(json!({})).await;
    let (way, other) = (lab.begin().await, lab.begin().await);
    let code = lab.fake.code(&way.url);
    let query = format!("code={code}&state={}", way.state);

    // Without the cookie, with another browser's, with one that was made up, with the state of another, without any.
    for (cookie, query) in [
        ("", query.as_str()),
        (&other.cookie, &query),
        ("__Host-oriel-sign-in=oriel:v1:made-up", &query),
        (&way.cookie, &format!("code={code}&state={}", other.state)),
        (&way.cookie, &format!("code={code}&state=")),
        (&way.cookie, &format!("code={code}")),
    ] {
        let reply = lab.back(cookie, query).await;
        assert_eq!(refused(&reply), "sign_in_over", "{cookie} {query}");
        assert_eq!(cookie_of(&reply, "__Host-oriel-sign-in"), None, "the one on its way is left alone");
        assert_eq!(place(&reply), "/?refused=sign_in_over");
    }
    assert_eq!(lab.fake.asked("/token"), 0, "the provider is not troubled with it");
    let at = format!("/api/v1/sign-in/oidc/018f0000-0000-7000-8000-000000000000/callback?{query}");
    let elsewhere = lab.house.send(Request::get(at).header("cookie", &way.cookie).body("".into()).unwrap()).await;
    assert_eq!(refused(&elsewhere), "sign_in_over");

    // It comes back once, of any number at once.
    let all = futures::future::join_all((0..8).map(|_| lab.back(&way.cookie, &query))).await;
    let (inside, used): (Vec<_>, Vec<_>) = all.iter().partition(|reply| place(reply) == "/pools?tab=x");
    assert_eq!(inside.len(), 1);
    assert!(used.iter().all(|reply| refused(reply) == "sign_in_used"));
    assert_eq!(lab.fake.asked("/token"), 1);
    assert_eq!(refused(&lab.back(&way.cookie, &query).await), "sign_in_used");

    // Somebody who says no there is nobody here, and may try again at once.
    let denied = lab.back(&other.cookie, &format!("error=access_denied&state={}", other.state)).await;
    assert_eq!(refused(&denied), "provider_denied");
    for odd in ["error=server_error&error_description=%0d%0aX", "", "code=a&error=b"] {
        let way = lab.begin().await;
        assert_eq!(refused(&lab.back(&way.cookie, &format!("{odd}&state={}", way.state)).await), "provider_failed");
    }

    // A code that the provider does not know; those who guess are slowed down.
    let mut codes = Vec::new();
    for _ in 0..6 {
        let way = lab.begin().await;
        codes.push(refused(&lab.back(&way.cookie, &format!("code=guess&state={}", way.state)).await));
    }
    assert_eq!(codes.first().unwrap(), "provider_answer_bad");
    assert_eq!(codes.last().unwrap(), "too_many_attempts");

    // Only our own page begins, and it leads nowhere else.
    let begin = Request::post(format!("/api/v1/sign-in/oidc/{}", lab.id)).header("origin", "https://evil.lab");
    let begin = begin.header("content-type", "application/json").body("{}".into()).unwrap();
    assert_eq!(lab.house.send(begin).await.code(), "wrong_origin");
    for next in ["//evil.lab/", "https://evil.lab/", "/\\evil.lab", "/a\r\nx"] {
        let way = lab.begin_with(None, json!({"next": next})).await;
        let denied = lab.back(&way.cookie, &format!("error=access_denied&state={}", way.state)).await;
        assert_eq!(place(&denied), "/?refused=provider_denied", "{next}");
    }
}

#[tokio::test]
async fn nobody_is_taken_over_and_who_is_not_mapped_stays_out() {
    let lab = Lab::new(json!({"only_mapped": true, "groups": [{"value": "artists", "group": "Painters"}]})).await;
    let bob = lab.house.user("bob", Role::Admin).await;
    let as_bob = lab.arrive(json!({"sub": "9", "preferred_username": "bob", "groups": ["artists"]})).await;
    assert_eq!(refused(&as_bob), "name_taken_here");
    lab.house.sign_in(&bob).await;
    for (odd, code) in [
        (json!({"preferred_username": "local", "groups": ["artists"]}), "bad_user_name"),
        (json!({"preferred_username": "../x", "groups": ["artists"]}), "bad_user_name"),
        (json!({"preferred_username": null, "groups": ["artists"]}), "provider_says_too_little"),
        (json!({"groups": ["others"]}), "not_let_in"),
        (json!({"groups": null}), "not_let_in"),
    ] {
        assert_eq!(refused(&lab.arrive(odd.clone()).await), code, "{odd}");
    }
    assert_eq!(lab.house.broker.users().await.unwrap().len(), 2, "whoever is not let in is not made");

    // Whoever left the group is out at their next sign-in, with everything that was open.
    let ada = lab.enter(json!({"groups": "artists"})).await;
    let token = lab.house.browse(Some(&ada), &Method::POST, "/api/v1/tokens", Some(json!({"label": "x"}))).await;
    let token = token.json()["token"].as_str().unwrap().to_owned();
    let by_token = async || {
        let request = Request::get("/api/v1/me").header("authorization", format!("Bearer {token}"));
        lab.house.send(request.body("".into()).unwrap()).await.status
    };
    assert_eq!(by_token().await, StatusCode::OK);
    assert_eq!(refused(&lab.arrive(json!({"groups": []})).await), "not_let_in");
    assert_eq!((lab.me(&ada).await.status, by_token().await), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    lab.enter(json!({"groups": ["artists"]})).await;
    assert_eq!(by_token().await, StatusCode::OK);

    // What the audit says of it.
    let told = lab.ask(Method::GET, "/audit?action=finish_sign_in", None).await.json();
    let first = |code: &str| {
        let all = told["entries"].as_array().unwrap();
        all.iter().find(|one| one["code"] == code).unwrap_or_else(|| panic!("{code}: {told}")).clone()
    };
    assert_eq!(
        (&first("name_taken_here")["actor_name"], &first("name_taken_here")["outcome"]),
        (&json!("bob"), &json!(409))
    );
    assert_eq!((&first("")["actor_name"], &first("")["outcome"]), (&json!("ada"), &json!(200)));
    assert!(!told.to_string().contains("code-"), "codes are secrets");
}

#[tokio::test]
async fn second_factors_hold_unless_the_provider_is_trusted_with_them() {
    let lab = Lab::new(json!({})).await;
    let ada = lab.enter(json!({"amr": ["pwd", "otp"]})).await;
    lab.ask(Method::PATCH, "/groups/night", Some(json!({"second_factor": "required"}))).await;
    lab.ask(Method::PUT, &format!("/groups/night/members/{}", ada.user.id), None).await;
    let step = async |claims: Value| {
        let browser = lab.enter(claims).await;
        lab.me(&browser).await.json()["step"].as_str().unwrap().to_owned()
    };
    // Not trusted, whatever it says.
    assert_eq!(step(json!({"amr": ["pwd", "otp"], "acr": "gold"})).await, "enrol");
    lab.change(json!({"factor_amr": ["otp"], "factor_acr": ["gold"]})).await;
    assert_eq!(step(json!({"amr": ["pwd", "otp"]})).await, "done");
    assert_eq!(step(json!({"acr": "gold"})).await, "done");
    assert_eq!(step(json!({"amr": ["pwd"], "acr": "silver"})).await, "enrol");
    lab.ask(Method::PATCH, "/groups/night", Some(json!({"second_factor": "every_time"}))).await;
    assert_eq!(step(json!({"acr": "gold"})).await, "enrol");

    // Whoever has just come from there sets theirs up without a password; later they come again first.
    lab.ask(Method::PATCH, "/groups/night", Some(json!({"second_factor": "optional"}))).await;
    let ada = lab.enter(json!({})).await;
    let begin = async |browser: &Browser| {
        lab.house.browse(Some(browser), &Method::POST, "/api/v1/me/second-factor/totp", Some(json!({}))).await
    };
    assert_eq!(begin(&ada).await.status, StatusCode::OK);
    let sha256 = oriel_identity::sha256_hex(ada.cookie.strip_prefix("__Host-oriel=").unwrap());
    let (session, _) = lab.house.broker.session(&sha256).await.unwrap().unwrap();
    lab.house.store.delete_web_session(&sha256).await.unwrap();
    let old = oriel_model::WebSession { created: session.created.plus_seconds(-601), ..session };
    lab.house.store.put_web_session(&old).await.unwrap();
    assert_eq!(begin(&ada).await.code(), "sign_in_again");
}

#[tokio::test]
async fn a_locked_browser_is_opened_by_a_provider_that_asks() {
    let lab = Lab::new(json!({})).await;
    let ada = lab.enter(json!({})).await;
    let sha256 = oriel_identity::sha256_hex(ada.cookie.strip_prefix("__Host-oriel=").unwrap());
    lab.house.broker.lock(&sha256).await.unwrap();
    let body = json!({"password": "kept elsewhere"});
    let unlock = lab.house.browse(Some(&ada), &Method::POST, "/api/v1/me/unlock", Some(body)).await;
    assert_eq!(unlock.code(), "bad_credentials");
    let come = async |auth_time: u64| {
        lab.fake.set(|state| drop(state.claims.insert("auth_time".into(), json!(auth_time))));
        // Also where the page does not ask for it.
        let way = lab.begin_with(Some(&ada), json!({})).await;
        assert!(way.url.contains("prompt=login") && way.url.contains("max_age=0"), "{}", way.url);
        let code = lab.fake.code(&way.url);
        lab.back(&way.cookie, &format!("code={code}&state={}", way.state)).await
    };
    assert_eq!(refused(&come(unix() - 3600).await), "provider_did_not_ask");
    lab.fake.set(|state| drop(state.claims.insert("auth_time".into(), Value::Null)));
    let before = lab.me(&ada).await;
    assert_eq!(before.json()["locked"], true);
    let reply = come(unix()).await;
    let after = lab.inside(&reply).await;
    assert_eq!((lab.me(&after).await.json()["locked"].clone(), after.user.id), (json!(false), ada.user.id));
    assert_eq!(lab.me(&ada).await.status, StatusCode::UNAUTHORIZED, "the locked one is gone");
    // Who is not locked is not asked again, unless the provider is set to.
    assert!(!lab.begin_with(Some(&after), json!({})).await.url.contains("prompt"));
    lab.change(json!({"ask_again": true})).await;
    assert!(lab.begin_with(None, json!({})).await.url.contains("prompt=login"));
}

#[tokio::test]
async fn a_provider_is_asked_with_what_was_kept_for_it() {
    let lab = Lab::new(json!({})).await;
    let test = async || lab.ask(Method::POST, "/providers/LAB/test", None).await;
    let said = test().await.json();
    assert_eq!(
        (&said["client_refused"], &said["keys"], &said["algorithms"]),
        (&Value::Null, &json!(1), &json!(["ES256"]))
    );
    let wrong = lab.ask(Method::PATCH, "/providers/lab", Some(json!({"secret": "guess"}))).await;
    assert_eq!(wrong.status, StatusCode::OK);
    assert!(test().await.json()["client_refused"].as_str().unwrap().contains("invalid_client"));
    lab.ask(Method::PATCH, "/providers/lab", Some(json!({"secret": SECRET}))).await;

    // Neither the answers nor the database show the secret.
    let shown = lab.ask(Method::GET, "/providers", None).await;
    assert!(
        shown.json()["providers"][0]["has_secret"] == true && !String::from_utf8_lossy(&shown.bytes).contains(SECRET)
    );
    let holds = |file: &[u8]| file.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(!holds(&std::fs::read(lab.house.database()).unwrap()));
    assert!(std::fs::read(lab.house.database().with_extension("db-wal")).is_ok_and(|log| !holds(&log)));

    // It goes to no other server or client than it was given for.
    for more in [json!({"issuer": "https://elsewhere.invalid"}), json!({"client_id": "other"})] {
        let moved = json!({"settings": lab.settings(more)});
        assert_eq!(lab.ask(Method::PATCH, "/providers/lab", Some(moved)).await.code(), "secret_missing");
    }
    // Where people come from it, another issuer is another provider.
    lab.enter(json!({})).await;
    let moved = json!({"settings": lab.settings(json!({"issuer": "https://elsewhere.invalid"})), "secret": "x"});
    assert_eq!(lab.ask(Method::PATCH, "/providers/lab", Some(moved)).await.code(), "provider_in_use");

    // One that is out of order slows nobody down, and does not say where it is.
    lab.fake.set(|state| {
        state.instead.insert("/token".into(), Instead::Says(500, "{\"error\": \"down\"}".into()));
    });
    for _ in 0..8 {
        assert_eq!(refused(&lab.arrive(json!({})).await), "provider_failed");
    }
    lab.fake.set(|state| state.instead.clear());
    lab.enter(json!({})).await;
    // Switched off, it has no button and lets nobody back in.
    let way = lab.begin().await;
    lab.ask(Method::PATCH, "/providers/lab", Some(json!({"enabled": false}))).await;
    let shown = lab.house.browse(None, &Method::GET, "/api/v1/sign-in/oidc", None).await.json();
    assert_eq!(shown["providers"], json!([]));
    assert_eq!(lab.try_begin(None, json!({})).await.code(), "not_found");
    let code = lab.fake.code(&way.url);
    assert_eq!(refused(&lab.back(&way.cookie, &format!("code={code}&state={}", way.state)).await), "not_found");

    for (bad, code) in [
        (json!({"issuer": "http://elsewhere.invalid"}), "bad_provider"),
        (json!({"roles": [{"value": "a", "role": "pool_admin"}]}), "bad_provider"),
        (json!({"groups": [{"value": "a", "group": "nobody's"}]}), "not_found"),
    ] {
        let new = json!({"name": "bad", "settings": lab.settings(bad.clone())});
        assert_eq!(lab.ask(Method::POST, "/providers", Some(new)).await.code(), code, "{bad}");
    }
}
