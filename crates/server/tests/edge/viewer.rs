//! The viewer's WebSocket over a real socket: who may open it, how often, and from where.

use crate::house::{Browser, House};
use axum::http::Method;
use oriel_model::Role;
use oriel_server::Door;
use serde_json::json;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

async fn listen(house: &House) -> (SocketAddr, CancellationToken, TaskTracker) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let door = Door::Tcp { listener, tls: None };
    tasks.spawn(oriel_server::serve_door(door, house.router.clone(), stop.clone(), tasks.clone()));
    (address, stop, tasks)
}

/// The first message, or the status and code of the refusal.
async fn open(
    address: SocketAddr,
    browser: &Browser,
    origin: Option<&str>,
    path: &str,
) -> Result<Vec<u8>, (u16, String)> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    request.headers_mut().insert("cookie", browser.cookie.parse().unwrap());
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = match client_async(request, stream).await {
        Ok(opened) => opened,
        Err(Error::Http(response)) => {
            let body: serde_json::Value =
                serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap_or_default();
            return Err((response.status().as_u16(), body["code"].as_str().unwrap_or_default().to_owned()));
        }
        Err(other) => panic!("{other}"),
    };
    use futures::{SinkExt as _, StreamExt as _};
    // hello: version 1, 800x600, scale 100, nothing received, no layout.
    let payload =
        [&[1u8][..], &800u16.to_le_bytes(), &600u16.to_le_bytes(), &100u16.to_le_bytes(), &0u64.to_le_bytes()].concat();
    let mut record = vec![0x81];
    record.extend((payload.len() as u32).to_le_bytes());
    record.extend(payload);
    socket.send(Message::Binary(record.into())).await.unwrap();
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_ticket_works_once_for_its_session_from_our_page() {
    let house = House::new().await;
    let (ada, root) = (house.user("ada", Role::User).await, house.user("root", Role::Admin).await);
    let desktop = house.desktop(&ada).await;
    let (of_ada, of_root) = (house.sign_in(&ada).await, house.sign_in(&root).await);
    let (address, stop, tasks) = listen(&house).await;
    let own = format!("http://{address}");
    let ticket = async |browser: &Browser| {
        let path = format!("/api/v1/desktops/{}/connect", desktop.id);
        let reply = house.browse(Some(browser), &Method::POST, &path, Some(json!({"kind": "vnc"}))).await;
        assert_eq!(reply.json()["expires_in_seconds"], 30, "{}", reply.json());
        reply.json()["path"].as_str().unwrap().to_owned()
    };
    let refused = |code: &str| Err((403, code.to_owned()));

    let path = ticket(&of_ada).await;
    assert_eq!(open(address, &of_ada, None, &path).await, refused("wrong_origin"));
    assert_eq!(open(address, &of_ada, Some("http://evil.test"), &path).await, refused("wrong_origin"));
    // A wrong origin does not use the ticket up; the right one does.
    assert!(open(address, &of_ada, Some(&own), &path).await.is_ok());
    assert_eq!(open(address, &of_ada, Some(&own), &path).await, refused("ticket_used"));

    let stolen = ticket(&of_ada).await;
    assert_eq!(open(address, &of_root, Some(&own), &stolen).await, refused("ticket_not_yours"));
    assert_eq!(open(address, &of_ada, Some(&own), &stolen).await, refused("ticket_used"));
    assert_eq!(open(address, &of_ada, Some(&own), "/api/v1/connect/made-up").await, refused("ticket_unknown"));

    stop.cancel();
    tasks.close();
    tokio::time::timeout(oriel_server::STOP_TIME_MAX, tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn a_desktop_that_is_not_there_yet_says_so() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    let desktop = house.desktop(&ada).await;
    let starting = oriel_model::DesktopState::Provisioning;
    house.store.modify_desktop(desktop.id, |desktop| desktop.state = starting).await.unwrap();
    let browser = house.sign_in(&ada).await;
    let path = format!("/api/v1/desktops/{}/connect", desktop.id);
    let reply = house.browse(Some(&browser), &Method::POST, &path, Some(json!({"kind": "rdp"}))).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "desktop_not_ready".to_owned()));
}
