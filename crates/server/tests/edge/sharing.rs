//! Inviting to a live connection, coming by the link, and looking on: who may, and what is said to who may not.

use crate::house::{Browser, House, Slow};
use axum::http::Method;
use futures::{SinkExt as _, StreamExt as _};
use oriel_broker::PoolChange;
use oriel_model::Role;
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use oriel_screen::{ByeCode, QuestionKind};
use oriel_server::Door;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

struct Street {
    house: House,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Street {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

type Socket = WebSocketStream<TcpStream>;

impl Street {
    async fn new() -> Self {
        let house = House::with(Arc::new(Slow)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let door = Door::Tcp { listener, tls: None };
        tasks.spawn(oriel_server::serve_door(door, house.router.clone(), stop.clone(), tasks.clone()));
        Self { house, address, stop }
    }

    /// A viewer's WebSocket, or the code of the refusal.
    async fn open(&self, browser: &Browser, path: &str) -> Result<Socket, String> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        request.headers_mut().insert("cookie", browser.cookie.parse().unwrap());
        request.headers_mut().insert("origin", format!("http://{}", self.address).parse().unwrap());
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut socket, _) = match client_async(request, stream).await {
            Ok(opened) => opened,
            Err(Error::Http(response)) => {
                let body: serde_json::Value =
                    serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap_or_default();
                return Err(body["code"].as_str().unwrap_or_default().to_owned());
            }
            Err(other) => panic!("{other}"),
        };
        let hello =
            ViewerHello { version: PROTOCOL_VERSION, width: 800, height: 600, scale: 100, ..Default::default() };
        say(&mut socket, &ViewerRecord::Hello(hello)).await;
        Ok(socket)
    }

    /// What a desktop's pool says from now on.
    async fn rule(&self, desktop: &oriel_model::Desktop, rules: &str) {
        let change = PoolChange { policy: Some(rules.parse().unwrap()), ..PoolChange::default() };
        self.house.broker.change_pool(desktop.pool, change).await.unwrap();
    }

    async fn post(&self, browser: &Browser, path: &str, body: serde_json::Value) -> crate::house::Reply {
        self.house.browse(Some(browser), &Method::POST, path, Some(body)).await
    }

    /// Opens a desktop; answers its connection's id with the socket.
    async fn connect(&self, browser: &Browser, desktop: &str) -> (String, Socket) {
        let reply = self.post(browser, &format!("/api/v1/desktops/{desktop}/connect"), json!({"kind": "vnc"})).await;
        let mut socket = self.open(browser, reply.json()["path"].as_str().unwrap()).await.unwrap();
        let id = until(&mut socket, |record| match record {
            ServerRecord::Hello { connection, .. } => Some(uuid(connection)),
            _ => None,
        });
        (id.await, socket)
    }
}

fn uuid(bytes: &[u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(*bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

async fn say(socket: &mut Socket, record: &ViewerRecord) {
    let mut message = Vec::new();
    record.encode(&mut message);
    socket.send(Message::Binary(message.into())).await.unwrap();
}

async fn until<T>(socket: &mut Socket, wanted: impl Fn(&ServerRecord) -> Option<T>) -> T {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.next()).await.unwrap();
        if let Message::Binary(bytes) = message.unwrap().unwrap()
            && let Some(found) = ServerRecord::decode_all(&bytes).unwrap().iter().find_map(&wanted)
        {
            return found;
        }
    }
}

fn bye(record: &ServerRecord) -> Option<(ByeCode, String)> {
    match record {
        ServerRecord::Bye { code, text } => Some((*code, text.clone())),
        _ => None,
    }
}

fn names(record: &ServerRecord) -> Option<Vec<String>> {
    match record {
        ServerRecord::People { people, .. } => Some(people.iter().map(|person| person.name.clone()).collect()),
        _ => None,
    }
}

#[tokio::test]
async fn whose_picture_it_is_says_who_sees_it_small() {
    let street = Street::new().await;
    let house = &street.house;
    let (ada, root, eve) = (
        house.user("ada", Role::User).await,
        house.user("root", Role::Admin).await,
        house.user("eve", Role::Admin).await,
    );
    let machine = house.desktop(&ada).await;
    let (of_root, of_eve) = (house.sign_in(&root).await, house.sign_in(&eve).await);
    street.rule(&machine, "shadowing=tell").await;
    let (_, _screen) = street.connect(&of_root, &machine.id.to_string()).await;
    let path = format!("/api/v1/desktops/{}/thumbnail", machine.id);
    let is_refused = async || {
        let reply = house.browse(Some(&of_eve), &Method::GET, &path, None).await;
        reply.json()["detail"].as_str().is_some_and(|text| text.contains("nobody looks on unseen"))
    };
    assert!(!is_refused().await, "the pool lets them");
    let quiet = json!({"name": "quiet", "policy": {"shadowing": "off"}});
    street.post(&of_eve, "/api/v1/groups", quiet).await;
    let quiet = house.broker.find_group("quiet").await.unwrap().id;
    house.broker.add_member(quiet, root.id).await.unwrap();
    assert!(is_refused().await, "root is who is there, not ada");
    house.broker.remove_member(quiet, root.id).await.unwrap();
    house.broker.add_member(quiet, ada.id).await.unwrap();
    assert!(!is_refused().await);
}

#[tokio::test]
async fn whoever_has_the_link_comes_in_until_it_is_withdrawn() {
    let street = Street::new().await;
    let house = &street.house;
    let (ada, bob, root) = (
        house.user("ada", Role::User).await,
        house.user("bob", Role::User).await,
        house.user("root", Role::Admin).await,
    );
    let machine = house.desktop(&ada).await;
    let desktop = machine.id.to_string();
    let (of_ada, of_bob, of_root) = (house.sign_in(&ada).await, house.sign_in(&bob).await, house.sign_in(&root).await);
    let (session, mut screen) = street.connect(&of_ada, &desktop).await;
    let invites = format!("/api/v1/sessions/{session}/invites");
    let new = json!({"role": "view", "minutes": 30});

    assert_eq!(street.post(&of_ada, &invites, new.clone()).await.code(), "sharing_off", "unless the pool says so");
    street.rule(&machine, "sharing=view").await;
    let control = json!({"role": "control"});
    assert_eq!(street.post(&of_ada, &invites, control.clone()).await.code(), "sharing_view_only");
    street.rule(&machine, "sharing=control,view_only").await;
    assert_eq!(street.post(&of_ada, &invites, control).await.code(), "sharing_view_only");
    street.rule(&machine, "sharing=control").await;

    // Only whose connection it is.
    for other in [&of_bob, &of_root] {
        assert_eq!(street.post(other, &invites, new.clone()).await.code(), "not_found");
        assert_eq!(house.browse(Some(other), &Method::GET, &invites, None).await.code(), "not_found");
    }
    for minutes in [0, 1441] {
        let reply = street.post(&of_ada, &invites, json!({"role": "view", "minutes": minutes})).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "bad_request".into()));
    }
    let made = street.post(&of_ada, &invites, new.clone()).await.json();
    let link = made["path"].as_str().unwrap().to_owned();
    let token = link.strip_prefix("/join/").unwrap().strip_suffix("?kind=vnc").unwrap();
    assert_eq!(token.len(), 43, "256 bits: {token}");
    let page = house.browse(None, &Method::GET, &link, None).await;
    assert!(page.status.is_success() || page.code() == "pages_not_built");
    let accept = format!("/api/v1/invites/{token}/connect");
    let ticket = async |browser: &Browser| street.post(browser, &accept, json!({})).await;
    assert_eq!(house.browse(None, &Method::POST, &accept, None).await.code(), "not_signed_in");
    street.rule(&machine, "default").await;
    assert_eq!(ticket(&of_bob).await.code(), "sharing_off", "the pool has changed its mind");
    street.rule(&machine, "sharing=control").await;
    assert_eq!(ticket(&of_ada).await.code(), "own_connection");
    assert_eq!(street.post(&of_bob, "/api/v1/invites/made-up/connect", json!({})).await.code(), "invite_unknown");

    // A ticket is one session's, once.
    let stolen = ticket(&of_bob).await.json()["path"].as_str().unwrap().to_owned();
    assert_eq!(street.open(&of_root, &stolen).await.unwrap_err(), "ticket_not_yours");
    assert_eq!(street.open(&of_bob, &stolen).await.unwrap_err(), "ticket_unknown");
    let given = ticket(&of_bob).await.json();
    assert_eq!(
        (given["owner"].as_str(), given["role"].as_str(), given["kind"].as_str()),
        (Some("ada"), Some("view"), Some("vnc"))
    );
    let mut guest = street.open(&of_bob, given["path"].as_str().unwrap()).await.unwrap();
    assert_eq!(until(&mut screen, names).await, ["ada", "bob"]);
    assert_eq!(until(&mut guest, names).await, ["ada", "bob"]);
    let sessions = house.browse(Some(&of_root), &Method::GET, "/api/v1/sessions", None).await.json();
    assert_eq!(sessions["sessions"][0]["viewers"], 2);
    assert_eq!(sessions["sessions"][0]["guests"][0]["user"]["name"], "bob");
    // Being let look is not being let in.
    let own = street.post(&of_bob, &format!("/api/v1/desktops/{desktop}/connect"), json!({"kind": "vnc"})).await;
    assert_eq!(own.code(), "not_found");

    let id = made["invite"]["id"].as_str().unwrap();
    assert_eq!(
        house.browse(Some(&of_bob), &Method::DELETE, &format!("{invites}/{id}"), None).await.code(),
        "not_found"
    );
    let gone = house.browse(Some(&of_ada), &Method::DELETE, &format!("{invites}/{id}"), None).await;
    assert_eq!(gone.status.as_u16(), 204);
    assert_eq!(until(&mut guest, bye).await, (ByeCode::Dismissed, "this invitation was withdrawn".into()));
    assert_eq!(ticket(&of_bob).await.code(), "invite_unknown");
    let list = house.browse(Some(&of_ada), &Method::GET, &invites, None).await.json();
    assert_eq!(list["invites"].as_array().unwrap().len(), 0);

    // As many as there may be, and none of a connection that has ended.
    let mut last = String::new();
    for _ in 0..oriel_gateway::INVITES_MAX {
        let made = street.post(&of_ada, &invites, new.clone()).await.json();
        last = made["path"].as_str().unwrap().split(['/', '?']).nth(2).unwrap().to_owned();
    }
    assert_eq!(street.post(&of_ada, &invites, new.clone()).await.code(), "too_many_invites");
    let accept = format!("/api/v1/invites/{last}/connect");
    let given = street.post(&of_bob, &accept, json!({})).await.json();
    let mut guest = street.open(&of_bob, given["path"].as_str().unwrap()).await.unwrap();
    until(&mut guest, names).await;
    // Whose account ends is no guest any more.
    house.browse(Some(&of_root), &Method::DELETE, &format!("/api/v1/sessions/{session}"), None).await;
    assert_eq!(until(&mut guest, bye).await.0, ByeCode::EndedByAdmin);
    assert_eq!(until(&mut screen, bye).await.0, ByeCode::EndedByAdmin);
    assert_eq!(street.post(&of_bob, &accept, json!({})).await.code(), "invite_unknown");
    assert_eq!(street.post(&of_ada, &invites, new).await.code(), "not_found");
}

#[tokio::test]
async fn somebody_without_an_account_knocks_and_reaches_nothing_else() {
    let street = Street::new().await;
    let house = &street.house;
    let (ada, root) = (house.user("ada", Role::User).await, house.user("root", Role::Admin).await);
    let machine = house.desktop(&ada).await;
    let (of_ada, of_root) = (house.sign_in(&ada).await, house.sign_in(&root).await);
    let nobody = Browser { cookie: "theme=dark".into(), csrf: String::new(), ..of_ada.clone() };
    let (session, mut screen) = street.connect(&of_ada, &machine.id.to_string()).await;
    let invites = format!("/api/v1/sessions/{session}/invites");
    let new = json!({"role": "view", "minutes": 30, "guests": true});

    for (rules, code) in [
        ("default", "sharing_off"),
        ("sharing=control", "sharing_guests_off"),
        ("share_guests", "sharing_off"),
        ("sharing=view,share_guests", ""),
    ] {
        street.rule(&machine, rules).await;
        assert_eq!(street.post(&of_ada, &invites, new.clone()).await.code(), code, "{rules}");
    }
    let long = json!({"role": "view", "minutes": 481, "guests": true});
    assert_eq!(street.post(&of_ada, &invites, long).await.code(), "bad_request");
    let made = street.post(&of_ada, &invites, new).await.json();
    let secret = made["path"].as_str().unwrap().strip_prefix("/join/guest?kind=vnc#").unwrap().to_owned();
    assert_eq!((secret.len(), &made["invite"]["guests"]), (43, &json!(true)));

    let knock = async |secret: &str, name: &str| {
        let body = json!({"secret": secret, "name": name});
        house.browse(None, &Method::POST, "/api/v1/guests/knock", Some(body)).await
    };
    assert_eq!(knock("made-up", "Bob").await.code(), "invite_unknown");
    assert_eq!(knock(&secret, "two\nlines").await.code(), "bad_request");
    let accept = format!("/api/v1/invites/{secret}/connect");
    assert_eq!(street.post(&of_root, &accept, json!({})).await.code(), "invite_unknown");
    street.rule(&machine, "sharing=view").await;
    assert_eq!(knock(&secret, "Bob").await.code(), "sharing_guests_off", "the pool has changed its mind");
    street.rule(&machine, "sharing=view,share_guests").await;

    // A ticket is for one viewer without an account, once.
    let given = knock(&secret, "Bob").await.json();
    assert_eq!((&given["owner"], &given["role"], &given["kind"]), (&json!("ada"), &json!("view"), &json!("vnc")));
    let elsewhere = format!("/api/v1/connect/{}", given["ticket"].as_str().unwrap());
    assert_eq!(street.open(&nobody, &elsewhere).await.unwrap_err(), "not_signed_in");
    assert_eq!(street.open(&of_root, &elsewhere).await.unwrap_err(), "ticket_not_yours");
    assert_eq!(street.open(&nobody, given["path"].as_str().unwrap()).await.unwrap_err(), "ticket_unknown");
    let given = knock(&secret, "Bob").await.json();
    let mut guest = street.open(&nobody, given["path"].as_str().unwrap()).await.unwrap();
    let asked = until(&mut screen, |record| match record {
        ServerRecord::Question { seat, kind: QuestionKind::Knock, name, .. } if name == "Bob" => Some(*seat),
        _ => None,
    });
    let seat = asked.await;
    for path in ["/api/v1/me", "/api/v1/desktops", invites.as_str()] {
        assert_eq!(house.browse(Some(&nobody), &Method::GET, path, None).await.code(), "not_signed_in", "{path}");
    }
    assert_eq!(knock(&secret, "Eve").await.code(), "guest_seat_taken");
    say(&mut screen, &ViewerRecord::Answer { seat, yes: true }).await;
    assert_eq!(until(&mut screen, names).await, ["ada", "Bob"]);
    assert_eq!(until(&mut guest, names).await, ["ada", "Bob"]);
    let sessions = house.browse(Some(&of_root), &Method::GET, "/api/v1/sessions", None).await.json();
    let shown = &sessions["sessions"][0]["guests"][0];
    assert_eq!((&shown["user"]["name"], &shown["unverified"]), (&json!("Bob"), &json!(true)));

    let id = made["invite"]["id"].as_str().unwrap();
    house.browse(Some(&of_ada), &Method::DELETE, &format!("{invites}/{id}"), None).await;
    assert_eq!(until(&mut guest, bye).await, (ByeCode::Dismissed, "this invitation was withdrawn".into()));
    let told = async |action: &str| {
        let path = format!("/api/v1/audit?action={action}");
        house.browse(Some(&of_root), &Method::GET, &path, None).await.json()
    };
    let admitted = told("admit_guest").await.to_string();
    for part in ["\"actor_name\":\"ada\"", id, "Bob (guest, unverified)", "127.0.0.1"] {
        assert!(admitted.contains(part), "{part} in {admitted}");
    }
    let knocks = told("knock").await.to_string();
    assert!(knocks.contains("Bob (guest, unverified)") && knocks.contains(id) && !knocks.contains(&secret));
}

#[tokio::test]
async fn administrators_look_on_when_the_person_says_yes() {
    let street = Street::new().await;
    let house = &street.house;
    let (ada, root) = (house.user("ada", Role::User).await, house.user("root", Role::Admin).await);
    let machine = house.desktop(&ada).await;
    let desktop = machine.id.to_string();
    let (of_ada, of_root) = (house.sign_in(&ada).await, house.sign_in(&root).await);
    let (session, mut screen) = street.connect(&of_ada, &desktop).await;
    let shadow = format!("/api/v1/sessions/{session}/shadow");
    assert_eq!(street.post(&of_ada, &shadow, json!({})).await.code(), "admin_only");
    let given = street.post(&of_root, &shadow, json!({"control": true})).await.json();
    assert_eq!((given["asks"].as_bool(), given["role"].as_str()), (Some(true), Some("control")));
    let mut helper = street.open(&of_root, given["path"].as_str().unwrap()).await.unwrap();
    let seat = until(&mut screen, |record| match record {
        ServerRecord::Question { seat, name, .. } if name == "root" => Some(*seat),
        _ => None,
    });
    let seat = seat.await;
    say(&mut screen, &ViewerRecord::Answer { seat, yes: true }).await;
    assert_eq!(until(&mut helper, names).await, ["ada", "root"]);

    street.rule(&machine, "shadowing=off").await;
    assert_eq!(street.post(&of_root, &shadow, json!({})).await.code(), "shadowing_off");
    street.rule(&machine, "shadowing=tell,view_only").await;
    let given = street.post(&of_root, &shadow, json!({"control": true})).await.json();
    assert_eq!((given["asks"].as_bool(), given["role"].as_str()), (Some(false), Some("view")));

    // Who is no administrator any more by then is not let in.
    let given = street.post(&of_root, &shadow, json!({})).await.json();
    house.user("other", Role::Admin).await;
    let change = oriel_broker::UserChange { role: Some(Role::User), ..Default::default() };
    house.broker.change_user(root.id, change).await.unwrap();
    assert!(street.open(&of_root, given["path"].as_str().unwrap()).await.is_err());
}

#[tokio::test]
async fn a_helpdesk_sees_a_log_on_and_says_something() {
    let street = Street::new().await;
    let house = &street.house;
    let (ada, desk) = (house.user("ada", Role::User).await, house.user("desk", Role::Helpdesk).await);
    let machine = house.desktop(&ada).await;
    let since = |seconds| oriel_model::Micros(1_795_000_000_000_000).plus_seconds(seconds);
    let start = |row: &mut oriel_model::Desktop| {
        (row.facts.prepared, row.facts.started, row.facts.ready) = (Some(since(0)), Some(since(2)), Some(since(30)));
    };
    house.store.modify_desktop(machine.id, start).await.unwrap();
    let (of_ada, of_desk) = (house.sign_in(&ada).await, house.sign_in(&desk).await);
    let (session, mut screen) = street.connect(&of_ada, &machine.id.to_string()).await;
    say(&mut screen, &ViewerRecord::RoundTrip { micros: 21_500 }).await;
    let path = format!("/api/v1/sessions/{session}");
    let mut seen = serde_json::Value::Null;
    for _ in 0..1000 {
        seen = house.browse(Some(&of_desk), &Method::GET, &path, None).await.json();
        if seen["round_trips"][0].is_object() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(seen["round_trips"][0]["ms"], json!(21.5), "{seen}");
    assert_eq!((&seen["address"], &seen["pool"]["name"]), (&json!("127.0.0.1"), &json!("studio")), "{seen}");
    assert_eq!((&seen["session"]["user"]["name"], &seen["log_on"][0]["kind"]), (&json!("ada"), &json!("opened")));
    let start: Vec<_> = seen["start"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["kind"].as_str().unwrap(), one["seconds"].as_f64()))
        .collect();
    assert_eq!(start, [("prepared", None), ("powered_on", Some(2.0)), ("answered", Some(28.0))]);
    assert_eq!(house.browse(Some(&of_ada), &Method::GET, &path, None).await.code(), "admin_only");

    let message = format!("{path}/message");
    for wrong in ["", "two\nlines", "x".repeat(501).as_str()] {
        let said = street.post(&of_desk, &message, json!({"text": wrong})).await;
        assert_eq!(said.code(), "bad_request", "{wrong:?}");
    }
    assert_eq!(street.post(&of_ada, &message, json!({"text": "hello"})).await.code(), "admin_only");
    let said = street.post(&of_desk, &message, json!({"text": " Save your work. "})).await;
    assert_eq!(said.status.as_u16(), 204);
    let heard = until(&mut screen, |record| match record {
        ServerRecord::Message(text) => Some(text.clone()),
        _ => None,
    });
    assert_eq!(heard.await, "desk: Save your work.");
    drop(screen);
    let mut code = String::new();
    for _ in 0..1000 {
        code = street.post(&of_desk, &message, json!({"text": "still there?"})).await.code();
        if !code.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The connection waits for its person for a while.
    assert!(["nobody_there", "not_found"].contains(&code.as_str()), "{code}");
}
