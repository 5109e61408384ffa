//! Our own client against our own server, over TLS: what one writes, the other reads.

use crate::house::{Fake, House, options};
use crate::seat::{Seat, clock};
use oriel_device::{Accounts, Button, DeviceOptions};
use oriel_physical::{Client, DeviceError, PhysicalOptions, PowerAction};
use oriel_screen::{InputEvent, ScreenEvent, Source as _};
use oriel_stream::BoxStream;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use tokio::net::TcpStream;

fn tls() -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["fake.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap())
}

async fn house(options: DeviceOptions) -> House {
    House::start(Fake::default(), DeviceOptions { tls: Some(tls()), ..options }).await
}

fn account() -> PhysicalOptions {
    PhysicalOptions {
        host: "fake.example".to_owned(),
        user: "admin".to_owned(),
        password: "secret".into(),
        keymap: Some("de".to_owned()),
        ..PhysicalOptions::default()
    }
}

async fn stream(house: &House) -> BoxStream {
    Box::new(TcpStream::connect(house.address).await.unwrap())
}

async fn client(house: &House, account: &PhysicalOptions) -> Result<Client, DeviceError> {
    let mut client = Client::open(stream(house).await, account).await?;
    client.login(account, clock).await?;
    Ok(client)
}

async fn seat(house: &House) -> Seat {
    Seat::new(house.address, account()).await
}

#[tokio::test]
async fn a_session_sees_the_picture_and_its_keys_arrive() {
    let house = house(options()).await;
    let mut seat = seat(&house).await;
    seat.until("a picture", |events| events.iter().any(|event| matches!(event, ScreenEvent::Tile { .. }))).await;
    seat.until("the lights", |events| events.contains(&ScreenEvent::Leds(0))).await;
    seat.source.settle().unwrap();
    let near = |x: u16, want: [u8; 3]| {
        let row = seat.source.framebuffer().row(x, 100, 1);
        assert!(row.iter().zip(want).all(|(is, want)| is.abs_diff(want) < 12), "{x}: {row:?}");
    };
    near(100, [255, 0, 0]);
    near(500, [0, 0, 255]);

    house.machine.forget();
    let key = |down, code| InputEvent::Key { down, code, keysym: 0 };
    seat.input(&[key(true, 0x2a), key(true, 0x1e), key(false, 0x1e), key(false, 0x2a)]).await;
    let keys = house.until("four reports", |fake| Some(fake.keyboard()).filter(|all| all.len() >= 4)).await;
    assert_eq!(keys, ["0200000000000000", "0200040000000000", "0200000000000000", "0000000000000000"]);
    seat.input(&[InputEvent::Pointer { x: 639, y: 0, buttons: 1 }, InputEvent::Wheel { x: 639, y: 0, dx: 0, dy: 120 }])
        .await;
    let mouse = house.until("the mouse", |fake| Some(fake.absolute()).filter(|all| all.len() >= 3)).await;
    assert_eq!(mouse, ["00ff7f00000000", "01ff7f00000000", "01ff7f0000ff00"]);
    house.machine.forget();
    seat.input(&[InputEvent::Text("zß@".to_owned())]).await;
    let typed = house.until("a text", |fake| Some(fake.keyboard()).filter(|all| all.len() >= 8)).await;
    assert_eq!(
        (typed[0].as_str(), typed[2].as_str(), typed[5].as_str()),
        ("00001c0000000000", "00002d0000000000", "4000140000000000")
    );

    house.machine.status.send_modify(|status| status.leds = 0b110);
    seat.until("other lights", |events| events.contains(&ScreenEvent::Leds(0b110))).await;
    house.machine.pictures.send_replace(Some(crate::house::picture(800, 600)));
    seat.until("another size", |events| events.contains(&ScreenEvent::Resize { width: 800, height: 600 })).await;
    // When it goes, everything is let go.
    seat.input(&[key(true, 0x30)]).await;
    house
        .until("a key that stays", |fake| fake.keyboard().last().cloned().filter(|last| last.starts_with("000005")))
        .await;
    drop(seat);
    house.until("keys up", |fake| fake.keyboard().last().cloned().filter(|last| last == "0000000000000000")).await;
}

#[tokio::test]
async fn commands_do_what_they_say() {
    let storage = tempfile::tempdir().unwrap();
    let house = house(DeviceOptions { storage: Some(storage.path().to_owned()), ..options() }).await;
    let mut client = client(&house, &account()).await.unwrap();
    client.power(PowerAction::On, true).await.unwrap();
    assert_eq!(*house.machine.pressed.lock().unwrap(), [Button::Power]);
    client.power(PowerAction::On, true).await.unwrap();
    client.power(PowerAction::ResetHard, false).await.unwrap();
    let busy = client.power(PowerAction::OffHard, false).await.unwrap_err();
    assert!(matches!(busy, DeviceError::Busy(_)), "{busy}");
    let overview = client.overview().await.unwrap();
    assert_eq!((overview.name.as_deref(), overview.version.as_deref()), (Some("fake.example"), Some("4.197")));
    assert_eq!((overview.mouse_absolute, overview.keyboard, overview.gpio.len()), (Some(true), Some(true), 0));
    assert!(overview.power.unwrap().on);
    client.jiggle(true).await.unwrap();
    assert_eq!(client.overview().await.unwrap().jiggler, Some(true));
    assert!(client.switch("relay", true).await.unwrap_err().to_string().contains("GpioChannelNotFoundError"));
    assert!(client.log(60).await.unwrap().contains("--- Pressed: Power"));

    // A streamer that has to start first.
    assert_eq!(client.snapshot(320).await.unwrap(), None);
    let watcher = self::client(&house, &account()).await.unwrap();
    let small = client.warm_snapshot(320, watcher).await.unwrap();
    assert_eq!(oriel_physical::jpeg::size(&small), Some((320, 240)));

    let pieces = (0..64).map(|_| Ok(bytes::Bytes::from_static(&[7; 1024])));
    client.upload_image("my image.iso", 64 << 10, futures::stream::iter(pieces)).await.unwrap();
    client.insert(Some("my image.iso"), true, false).await.unwrap();
    client.connect_drive(true).await.unwrap();
    assert!(client.insert(None, true, false).await.unwrap_err().to_string().contains("MsdConnectedError"));
    let stored = client.overview().await.unwrap().storage.unwrap();
    assert_eq!(
        (stored.image.as_deref(), stored.connected, stored.cdrom, stored.images.len()),
        (Some("my image.iso"), true, true, 1)
    );
    client.connect_drive(false).await.unwrap();
    client.insert(None, false, true).await.unwrap();
    client.remove_image("my image.iso").await.unwrap();
}

#[tokio::test]
async fn a_second_factor_stands_behind_the_password() {
    let secret = oriel_identity::new_totp_secret();
    let mut accounts = Accounts::default();
    accounts.add("admin", &"secret".into(), Some(secret.clone())).unwrap();
    let house = house(DeviceOptions { accounts, ..options() }).await;
    let with = PhysicalOptions { totp: Some(secret), ..account() };
    client(&house, &with).await.unwrap().overview().await.unwrap();
    let refused = client(&house, &account()).await.err().unwrap();
    assert!(matches!(refused, DeviceError::CredentialsRefused), "{refused}");
    let wrong = PhysicalOptions { password: "other".into(), ..with };
    assert!(matches!(client(&house, &wrong).await.err().unwrap(), DeviceError::CredentialsRefused));
}
