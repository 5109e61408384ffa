//! A machine of the server that is shown as a device by `oriel device serve`, and used by the client of devices: its picture, its keys and
//! its end. Behind it is a device in memory, so that what is typed at one end is seen at the other.

use super::{at, furnish, house::House};
use async_trait::async_trait;
use oriel_physical::fake::{FakeDevice, FakeOptions};
use oriel_physical::{Client, DeviceError, PhysicalOptions, PhysicalSource, Session, Way, connect, jpeg};
use oriel_screen::{InputEvent, ScreenEvent, Source as _};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

#[derive(Debug)]
struct Loopback(String);

#[async_trait]
impl Way for Loopback {
    async fn open(&self) -> Result<oriel_stream::BoxStream, String> {
        let stream = TcpStream::connect(&self.0).await.map_err(|error| error.to_string())?;
        Ok(Box::new(stream))
    }
}

fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The command, until it is interrupted.
struct Serving {
    child: Child,
    address: String,
    password: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn command(house: &House, token: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
    command.args(["--server", &house.url, "device", "serve", "server"]).args(more);
    command.env("ORIEL_TOKEN", token).env_remove("ORIEL_DEVICE_PASSWORD").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Serving {
    fn start(house: &House, token: &str) -> Self {
        let mut child = command(house, token, &[]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = |start: &str| {
            let line = lines.next().unwrap().unwrap();
            line.strip_prefix(start).unwrap_or_else(|| panic!("said {line:?}")).to_owned()
        };
        let (address, password) = (said("ready: https://"), said("login: admin "));
        Self { child, address, password }
    }

    fn options(&self) -> PhysicalOptions {
        let (host, password) = (self.address.clone(), self.password.clone().into());
        PhysicalOptions { host, user: "admin".to_owned(), password, ..PhysicalOptions::default() }
    }

    async fn client(&self) -> Result<Client, DeviceError> {
        let options = self.options();
        let stream = Loopback(self.address.clone()).open().await.unwrap();
        let mut client = Client::open(stream, &options).await?;
        client.login(&options, clock).await?;
        Ok(client)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desktop_is_shown_as_a_device() {
    let (house, device) = (House::new("127.0.0.0/8"), FakeDevice::start(FakeOptions::default()).await.unwrap());
    furnish(&house);
    let address = at(device.address().port());
    let add = ["machine", "add", "office", "--name", "server", "--protocol", "pikvm", "--address", &address];
    house.ask_with(&[&add[..], &["--user", "admin", "--password-file", "-"]].concat(), "admin\n").unwrap();
    let token = house.tell(&["token", "create", "device", "--user", "ada"]).trim().to_owned();

    // Nobody is let in unasked from elsewhere; and it takes a person.
    let refused = command(&house, &token, &["--listen", "0.0.0.0:0"]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && said.contains("--password-file"), "{said}");
    let local = house.ask(&["device", "serve", "server"]).unwrap_err();
    assert!(local.contains("the local administrator is none"), "{local}");

    let mut serving = Serving::start(&house, &token);
    let mut client = serving.client().await.unwrap();
    let overview = client.overview().await.unwrap();
    assert_eq!(overview.name.as_deref(), Some("server"));
    // Nobody watches, so the machine is not opened; and Oriel has no buttons of a machine that it does not run.
    assert!(!overview.video.unwrap().running && !overview.power.unwrap().enabled);
    assert_eq!(device.world().events_clients, 0);

    let way = Arc::new(Loopback(serving.address.clone()));
    let stream = way.open().await.unwrap();
    let Session { mut stream, mut source, .. } = connect(stream, serving.options(), way, clock).await.unwrap();
    let mut events = Vec::new();
    let picture = |source: &mut PhysicalSource| {
        source.settle().unwrap();
        let row = source.framebuffer().row(100, 100, 1);
        row.iter().zip([255, 0, 0]).all(|(is, want): (&u8, u8)| is.abs_diff(want) < 16)
    };
    let seeing = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0);
            let mut out = Vec::new();
            source.receive(&buffer[..length], &mut out, &mut events).unwrap();
            stream.write_all(&out).await.unwrap();
            let tile = events.drain(..).any(|event| matches!(event, ScreenEvent::Tile { .. }));
            if tile && picture(&mut source) {
                return;
            }
        }
    };
    timeout(Duration::from_mins(1), seeing).await.expect("no picture came");
    let small = client.snapshot(320).await.unwrap().unwrap();
    assert_eq!(jpeg::size(&small), Some((320, 240)));

    // Keys go all the way.
    let before = device.world().gadget.keyboard.len();
    let key = |down, code| InputEvent::Key { down, code, keysym: 0 };
    let mut out = Vec::new();
    for input in [key(true, 0x2a), key(true, 0x1e), key(false, 0x1e), key(false, 0x2a)] {
        source.input(&input, &mut out).unwrap();
    }
    stream.write_all(&out).await.unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let reports = loop {
        let seen = device.world().gadget.keyboard.get(before..before + 4).map(<[_]>::to_vec);
        if let Some(reports) = seen {
            break reports;
        }
        assert!(Instant::now() < end, "no keys: {:?}", device.world().gadget.keyboard);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(reports, [[2, 0, 0, 0, 0, 0, 0, 0], [2, 0, 4, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0], [0; 8]]);

    // An interrupt ends it in order.
    kill_process(Pid::from_child(&serving.child), Signal::INT).unwrap();
    let end = Instant::now() + Duration::from_secs(15);
    let status = loop {
        match serving.child.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(Instant::now() < end, "it did not end"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(status.code(), Some(0));
    assert!(TcpStream::connect(&serving.address).await.is_err());
}
