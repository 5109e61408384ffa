//! A provider that says what a test wants it to say, over HTTP or over TLS, on this machine.

#![allow(dead_code, reason = "each test uses a part of it")]

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as B64},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    convert::Infallible,
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub const CLIENT: &str = "oriel";
pub const SECRET: &str = "a secret: 50% & more";

/// What it says instead of what it should.
#[derive(Clone)]
pub enum Instead {
    Says(u16, String),
    Leads(String),
    Never,
}

struct Signing {
    id: String,
    pair: EcdsaKeyPair,
}

pub struct State {
    signing: Signing,
    /// Keys that it names beside the one it signs with.
    hidden: bool,
    /// Of everybody who signs in next; `null` leaves one out.
    pub claims: Map<String, Value>,
    pub userinfo: Option<Value>,
    pub metadata: Map<String, Value>,
    pub instead: HashMap<String, Instead>,
    /// A token in place of its own.
    pub token: Option<String>,
    codes: HashMap<String, (String, String)>,
    /// How often each path was asked.
    pub asked: HashMap<String, u32>,
}

pub struct Fake {
    pub issuer: String,
    /// PEM, and SHA-256 in hex, of its certificate; empty without TLS.
    pub ca: String,
    pub pin: String,
    pub state: Arc<Mutex<State>>,
}

pub fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn signing(id: &str) -> Signing {
    Signing { id: id.to_owned(), pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
}

impl Fake {
    pub async fn start(tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let issuer = if tls { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") };
        let state = State {
            signing: signing("k1"),
            hidden: false,
            claims: Map::new(),
            userinfo: None,
            metadata: Map::new(),
            instead: HashMap::new(),
            token: None,
            codes: HashMap::new(),
            asked: HashMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let (mut acceptor, mut ca, mut pin) = (None, String::new(), String::new());
        if tls {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            ca = made.cert.pem();
            for byte in Sha256::digest(made.cert.der()) {
                write!(pin, "{byte:02x}").unwrap();
            }
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
            let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
            acceptor = Some(TlsAcceptor::from(Arc::new(config)));
        }
        let (serving, at) = (Arc::clone(&state), issuer.clone());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (serving, at, acceptor) = (Arc::clone(&serving), at.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(Arc::clone(&serving), at.clone(), request));
                    match acceptor {
                        Some(acceptor) => {
                            let Ok(stream) = acceptor.accept(tcp).await else { return };
                            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
                        }
                        None => {
                            http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await.ok();
                        }
                    }
                });
            }
        });
        Self { issuer, ca, pin, state }
    }

    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// From now on it signs with another key, which it names or keeps to itself.
    pub fn rotate(&self, id: &str, hidden: bool) {
        self.set(|state| {
            state.signing = signing(id);
            state.hidden = hidden;
        });
    }

    pub fn asked(&self, path: &str) -> u32 {
        self.state.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// Somebody signs in there: a code for where the browser was sent to.
    pub fn code(&self, url: &str) -> String {
        let url = url::Url::parse(url).unwrap();
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["client_id"], CLIENT);
        assert_eq!(query["code_challenge_method"], "S256");
        assert!(query["scope"].split(' ').any(|one| one == "openid"));
        let code = format!("code-{}", query["state"]);
        let kept = (query["nonce"].clone(), query["code_challenge"].clone());
        self.set(|state| drop(state.codes.insert(code.clone(), kept)));
        code
    }
}

impl State {
    fn jwk(&self) -> Value {
        let point = self.signing.pair.public_key().as_ref();
        let (x, y) = (B64.encode(&point[1..33]), B64.encode(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.signing.id, "x": x, "y": y})
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": self.signing.id});
        let message = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        let signature = self.signing.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", B64.encode(signature))
    }

    fn exchange(&mut self, issuer: &str, authorization: &str, form: &HashMap<String, String>) -> (u16, Value) {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET))));
        let posted = form.get("client_secret").is_some_and(|secret| secret == SECRET);
        if authorization != basic && !posted {
            return (401, json!({"error": "invalid_client"}));
        }
        // A code is good once.
        let Some((nonce, challenge)) = self.codes.remove(&form["code"]) else {
            return (400, json!({"error": "invalid_grant", "error_description": "no such\ncode"}));
        };
        if B64.encode(Sha256::digest(form["code_verifier"].as_bytes())) != challenge {
            return (400, json!({"error": "invalid_grant", "error_description": "PKCE"}));
        }
        let now = unix();
        let mut claims = json!({
            "iss": issuer, "aud": CLIENT, "sub": "7", "nonce": nonce, "iat": now, "exp": now + 60, "auth_time": now,
            "preferred_username": "ada", "groups": [],
        });
        for (name, value) in &self.claims {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let token = self.token.clone().unwrap_or_else(|| self.sign(&claims));
        (200, json!({"id_token": token, "access_token": "access", "token_type": "Bearer"}))
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    issuer: String,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let authorization =
        request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let instead = {
        let mut state = state.lock().unwrap();
        *state.asked.entry(path.clone()).or_default() += 1;
        state.instead.get(&path).cloned()
    };
    let (status, text, place) = match instead {
        Some(Instead::Says(status, text)) => (status, text, None),
        Some(Instead::Leads(place)) => (302, String::new(), Some(place)),
        Some(Instead::Never) => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            (200, String::new(), None)
        }
        None => {
            let mut state = state.lock().unwrap();
            let (status, value) = match path.as_str() {
                "/.well-known/openid-configuration" => {
                    let mut metadata = json!({
                        "issuer": issuer,
                        "authorization_endpoint": format!("{issuer}/auth"),
                        "token_endpoint": format!("{issuer}/token"),
                        "jwks_uri": format!("{issuer}/keys"),
                        "userinfo_endpoint": format!("{issuer}/me"),
                        "code_challenge_methods_supported": ["S256"],
                        "response_types_supported": ["code"],
                    });
                    metadata.as_object_mut().unwrap().extend(state.metadata.clone());
                    (200, metadata)
                }
                "/keys" => {
                    let key = if state.hidden {
                        let other = signing("k0");
                        let shown = std::mem::replace(&mut state.signing, other);
                        let key = state.jwk();
                        state.signing = shown;
                        key
                    } else {
                        state.jwk()
                    };
                    (200, json!({"keys": [key]}))
                }
                "/token" => state.exchange(&issuer, &authorization, &form),
                "/me" if authorization == "Bearer access" => {
                    (200, state.userinfo.clone().unwrap_or_else(|| json!({"sub": "7"})))
                }
                _ => (404, json!({"error": "not_found"})),
            };
            (status, value.to_string(), None)
        }
    };
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    if let Some(place) = place {
        response = response.header("location", place);
    }
    Ok(response.header("content-type", "application/json").body(Full::new(text.into())).unwrap())
}
