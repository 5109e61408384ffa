//! A provider as it is met on the network: TLS, keys that change, and answers that do not fit.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod fake;

use fake::{CLIENT, Fake, Instead, SECRET};
use oriel_model::ProviderSettings;
use oriel_oidc::{Answered, Found, OidcError, Provider, Wish};
use secrecy::SecretString;
use serde_json::json;

const BACK: &str = "https://oriel.test/callback";
const VERIFIER: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

fn settings(fake: &Fake) -> ProviderSettings {
    ProviderSettings {
        issuer: fake.issuer.clone(),
        client_id: CLIENT.into(),
        scopes: vec!["profile".into()],
        ca: Some(fake.ca.clone()).filter(|ca| !ca.is_empty()),
        ..ProviderSettings::default()
    }
}

fn answered<'a>(code: &'a str, verifier: &'a str) -> Answered<'a> {
    Answered { code, issuer: None, redirect_uri: BACK, nonce: "n1", verifier }
}

async fn begin(provider: &Provider) -> Result<String, OidcError> {
    let wish = Wish { redirect_uri: BACK, state: "s1", nonce: "n1", verifier: VERIFIER, again: false };
    Ok(provider.begin(&wish).await?.url)
}

async fn sign_in(fake: &Fake, provider: &Provider) -> Result<Found, OidcError> {
    let code = fake.code(&begin(provider).await?);
    provider.finish(Some(&SECRET.into()), &answered(&code, VERIFIER)).await
}

fn why<T: std::fmt::Debug>(result: Result<T, OidcError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn the_certificate_decides() {
    let fake = Fake::start(true).await;
    let found = sign_in(&fake, &Provider::new(settings(&fake))).await.unwrap();
    assert_eq!((found.subject.as_str(), found.name.as_str()), ("7", "ada"));
    let pinned = |pin: &str| Provider::new(ProviderSettings { ca: None, pin: Some(pin.to_owned()), ..settings(&fake) });
    sign_in(&fake, &pinned(&fake.pin)).await.unwrap();
    assert!(matches!(begin(&pinned(&"ab".repeat(32))).await, Err(OidcError::Tls { .. })));
    // Whom the machine trusts does not include it; nor does somebody else's CA.
    let stranger = Fake::start(true).await;
    for ca in [None, Some(stranger.ca.clone())] {
        let other = Provider::new(ProviderSettings { ca, ..settings(&fake) });
        assert!(matches!(begin(&other).await, Err(OidcError::Tls { .. })));
    }
    // A certificate for another name.
    let elsewhere = fake.issuer.replace("localhost", "127.0.0.1");
    let other = Provider::new(ProviderSettings { issuer: elsewhere, ..settings(&fake) });
    assert!(matches!(begin(&other).await, Err(OidcError::Tls { .. })));
}

#[tokio::test]
async fn keys_change() {
    let fake = Fake::start(false).await;
    let provider = Provider::new(settings(&fake));
    sign_in(&fake, &provider).await.unwrap();
    sign_in(&fake, &provider).await.unwrap();
    assert_eq!((fake.asked("/keys"), fake.asked("/.well-known/openid-configuration")), (1, 1), "it was remembered");
    // Known by another provider object, as after a while.
    let later = Provider::new(settings(&fake));
    begin(&later).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    fake.rotate("k2", false);
    sign_in(&fake, &later).await.unwrap();
    assert_eq!(fake.asked("/keys"), 3);
    // A key that it does not name is asked for once, and then not for every sign-in.
    fake.rotate("k3", true);
    for _ in 0..3 {
        assert!(why(sign_in(&fake, &later).await).contains("does not name"));
    }
    assert_eq!(fake.asked("/keys"), 3);
}

#[tokio::test]
async fn a_client_is_known_by_its_secret() {
    let fake = Fake::start(false).await;
    let provider = Provider::new(settings(&fake));
    let look =
        async |provider: &Provider, secret: &str| provider.look(Some(&SecretString::from(secret)), BACK).await.unwrap();
    let said = look(&provider, SECRET).await;
    assert_eq!((said.client, said.keys, said.knows_pkce), (Ok(()), 1, true));
    assert_eq!(said.algorithms, ["ES256"]);
    assert!(look(&provider, "guess").await.client.unwrap_err().contains("invalid_client"));
    // In the form, where the header is not taken.
    fake.set(|state| {
        let methods = json!(["client_secret_post"]);
        state.metadata.insert("token_endpoint_auth_methods_supported".into(), methods);
    });
    assert_eq!(look(&provider, SECRET).await.client, Ok(()));

    // Without the verifier that its challenge was made of, a code is worth nothing; nor is it twice.
    let code = fake.code(&begin(&provider).await.unwrap());
    let other = "another-verifier-than-the-one-of-this-sign-in";
    let stolen = provider.finish(Some(&SECRET.into()), &answered(&code, other)).await;
    assert!(matches!(stolen, Err(OidcError::Code { .. })), "{stolen:?}");
    let code = fake.code(&begin(&provider).await.unwrap());
    provider.finish(Some(&SECRET.into()), &answered(&code, VERIFIER)).await.unwrap();
    let again = why(provider.finish(Some(&SECRET.into()), &answered(&code, VERIFIER)).await);
    assert!(again.contains("no suchcode"), "words of a provider are one line: {again}");
}

#[tokio::test]
async fn whoever_answers_says_so() {
    let fake = Fake::start(false).await;
    let provider = Provider::new(settings(&fake));
    let finish = async |issuer: Option<&str>| {
        let code = fake.code(&begin(&provider).await.unwrap());
        let answered = Answered { issuer, ..answered(&code, VERIFIER) };
        provider.finish(Some(&SECRET.into()), &answered).await
    };
    finish(None).await.unwrap();
    finish(Some(&fake.issuer)).await.unwrap();
    assert!(why(finish(Some("https://evil.lab")).await).contains("another provider"));
    let says = Fake::start(false).await;
    says.set(|state| {
        state.metadata.insert("authorization_response_iss_parameter_supported".into(), json!(true));
    });
    assert!(why(sign_in(&says, &Provider::new(settings(&says))).await).contains("does not say who"));
}

#[tokio::test]
async fn more_is_asked_of_the_same_person_only() {
    let fake = Fake::start(false).await;
    let provider = Provider::new(settings(&fake));
    sign_in(&fake, &provider).await.unwrap();
    assert_eq!(fake.asked("/me"), 0, "the token said all of it");
    fake.set(|state| {
        state.claims.insert("preferred_username".into(), json!(null));
        state.claims.insert("groups".into(), json!(null));
        state.userinfo = Some(json!({"sub": "7", "preferred_username": "ada", "groups": ["night"]}));
    });
    let found = sign_in(&fake, &provider).await.unwrap();
    assert!(found.name == "ada" && found.groups.contains("night"));
    fake.set(|state| state.userinfo = Some(json!({"sub": "8", "preferred_username": "root"})));
    assert!(why(sign_in(&fake, &provider).await).contains("somebody else"));
    fake.set(|state| state.userinfo = None);
    assert!(why(sign_in(&fake, &provider).await).contains("preferred_username"));
}

#[tokio::test]
async fn answers_that_do_not_fit_are_refused() {
    const DISCOVERY: &str = "/.well-known/openid-configuration";
    let large = format!("{{\"x\":\"{}\"}}", "y".repeat(oriel_oidc::ANSWER_BYTES_MAX));
    for (path, instead, said) in [
        (DISCOVERY, Instead::Says(200, "<html>".into()), "no JSON object"),
        (DISCOVERY, Instead::Says(200, "[]".into()), "no JSON object"),
        (DISCOVERY, Instead::Says(404, "{}".into()), "status 404"),
        (DISCOVERY, Instead::Says(200, large.clone()), "length limit"),
        (DISCOVERY, Instead::Leads("http://127.0.0.1:1/".into()), "leads elsewhere"),
        ("/keys", Instead::Says(200, "{\"keys\": []}".into()), "no key"),
        ("/keys", Instead::Says(200, large.clone()), "length limit"),
        ("/token", Instead::Leads("http://127.0.0.1:1/".into()), "leads elsewhere"),
        ("/token", Instead::Says(200, large), "length limit"),
        ("/token", Instead::Says(200, "{}".into()), "there is none"),
        ("/token", Instead::Says(200, "{\"id_token\": 5}".into()), "there is none"),
        ("/token", Instead::Says(500, "{\"error\": \"server_error\"}".into()), "server_error"),
    ] {
        let fake = Fake::start(false).await;
        fake.set(|state| drop(state.instead.insert(path.to_owned(), instead)));
        let error = why(sign_in(&fake, &Provider::new(settings(&fake))).await);
        assert!(error.contains(said), "{path}: {error}");
    }
    let closed = Fake::start(false).await.issuer.replace("127.0.0.1", "127.0.0.2");
    let nobody = Provider::new(ProviderSettings { issuer: closed, client_id: CLIENT.into(), ..Default::default() });
    assert!(matches!(begin(&nobody).await, Err(OidcError::Unreachable { .. })));
    // One that never answers is asked by one of those who wait, and the others hear the same.
    let slow = Fake::start(false).await;
    slow.set(|state| drop(state.instead.insert(DISCOVERY.to_owned(), Instead::Never)));
    let slow = Provider::new(settings(&slow));
    let waited = std::time::Instant::now();
    let (one, other) = tokio::join!(begin(&slow), begin(&slow));
    assert!(matches!((one, other), (Err(OidcError::Late { .. }), Err(OidcError::Late { .. }))));
    assert!(waited.elapsed() < oriel_oidc::QUESTION_TIME_MAX * 2);
}
