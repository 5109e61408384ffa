//! Many desktops: how long people wait for theirs, what reconciling one change takes, and how much memory all of it needs.
//!
//! The house runs in a process of its own (this program again, with `broker-house`): the real edge, broker and store (SQLite in a file) on
//! the host in memory, with no guests behind it. People sign in over HTTP, ask their pool for a desktop and get a ticket for it.

use anyhow::{Context, Result, ensure};
use futures::FutureExt as _;
use oriel_broker::{Broker, ByHand};
use oriel_compute::{
    Compute as _,
    fake::{FakeCompute, FakeMode},
};
use oriel_gateway::{DialError, Dialler, Gateway, Target};
use oriel_identity::{Vault, hash_password};
use oriel_image::ImageStore;
use oriel_machine::{Arch, Boot, GuestIdentity, MachineSpec};
use oriel_model::{
    Accelerator, AcceleratorKind, Desktop, DesktopFacts, DesktopId, DesktopIntent, DesktopState, GuestPort, Hardware,
    Image, ImageId, ImageOs, ImageSource, ImageState, Micros, Network, Pool, PoolId, PoolKind, PoolSize,
    RecordingPolicy, Role, SessionPolicy, User, UserId,
};
use oriel_screen::ByeCode;
use oriel_server::Door;
use oriel_store::{Store, clock::now};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{path::Path, process::Stdio, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Pools, where there are desktops enough.
const POOLS_MAX: usize = 100;
/// Everybody's.
const PASSWORD: &str = "seven green lamps in a row";
/// Single changes that are followed to their end.
const CHANGES: usize = 50;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Desktops; several numbers give the curve
    #[arg(long, value_delimiter = ',', default_value = "10000")]
    desktops: Vec<usize>,
    /// People who sign in and ask for a desktop
    #[arg(long, default_value_t = 1000)]
    people: usize,
    /// Within so many seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The results as JSON on standard output: an object for one number of desktops, else a list
    #[arg(long)]
    json: bool,
}

/// One line of the table.
#[derive(Debug, Serialize)]
struct Measured {
    desktops: usize,
    people: usize,
    /// Signing in: mostly the password's hash.
    sign_in_ms_p50: f64,
    sign_in_ms_p99: f64,
    /// Asking the pool for a desktop.
    take_ms_p50: f64,
    take_ms_p99: f64,
    /// A ticket for it.
    connect_ms_p50: f64,
    connect_ms_p99: f64,
    /// From one desktop's change to rest, all rounds of the reconcilers together; the median.
    reconcile_ms: f64,
    /// One look at every desktop and pool, which happens every ten seconds and a second more rarely for each thousand.
    look_ms: f64,
    rss_mib: f64,
    failed: usize,
}

/// What the house says when it is ready.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    port: u16,
    reconcile_ms: f64,
    look_ms: f64,
}

/// `oriel-bench broker`.
pub async fn run(options: &Options) -> Result<()> {
    let mut results = Vec::new();
    for desktops in &options.desktops {
        eprintln!("measuring {desktops} desktops");
        results.push(measure(options, *desktops).await?);
    }
    report(&results, options.json)
}

#[expect(clippy::print_stdout, reason = "the results are this program's output")]
fn report(results: &[Measured], json: bool) -> Result<()> {
    match (json, results) {
        (true, [one]) => println!("{}", serde_json::to_string_pretty(one)?),
        (true, all) => println!("{}", serde_json::to_string_pretty(all)?),
        (false, all) => {
            println!(
                "desktops  people  sign-in p50/p99 ms  take p50/p99 ms  connect p50/p99 ms  reconcile ms  look ms  rss MiB  failed"
            );
            for m in all {
                println!(
                    "{:>8} {:>7} {:>11.1} {:>7.1} {:>8.1} {:>7.1} {:>10.1} {:>7.1} {:>13.2} {:>8.1} {:>8.1} {:>7}",
                    m.desktops,
                    m.people,
                    m.sign_in_ms_p50,
                    m.sign_in_ms_p99,
                    m.take_ms_p50,
                    m.take_ms_p99,
                    m.connect_ms_p50,
                    m.connect_ms_p99,
                    m.reconcile_ms,
                    m.look_ms,
                    m.rss_mib,
                    m.failed
                );
            }
        }
    }
    Ok(())
}

async fn measure(options: &Options, desktops: usize) -> Result<Measured> {
    // Everybody gets one: more people than desktops would only measure refusals.
    let people = options.people.min(desktops);
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["broker-house", "--desktops", &desktops.to_string(), "--people", &people.to_string()]);
    let mut house = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let output = house.stdout.take().context("no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await?;
    let ready: Ready = serde_json::from_str(&line).context("the house did not say that it is ready")?;
    let url = format!("http://127.0.0.1:{}", ready.port);
    let http = reqwest::Client::builder().build()?;
    let began = Instant::now();
    let pause = Duration::from_secs(options.seconds) / u32::try_from(people.max(1))?;
    let mut visits = Vec::new();
    for person in 0..people {
        let (http, url) = (http.clone(), url.clone());
        let comes = began + pause * u32::try_from(person)?;
        let pool = person % pools_of(desktops);
        visits.push(tokio::spawn(async move {
            tokio::time::sleep_until(comes).await;
            visit(&http, &url, person, pool).await
        }));
    }
    let (mut times, mut failed) = ([Vec::new(), Vec::new(), Vec::new()], 0);
    for visit in visits {
        match visit.await? {
            Ok(visit) => {
                for (all, one) in times.iter_mut().zip(visit) {
                    all.push(one);
                }
            }
            Err(error) => {
                failed += 1;
                eprintln!("somebody got nothing: {error:#}");
            }
        }
    }
    let rss_mib = rss_mib(&house)?;
    house.kill().await?;
    let [sign_in, take, connect] = times;
    Ok(Measured {
        desktops,
        people,
        sign_in_ms_p50: percentile(&sign_in, 50),
        sign_in_ms_p99: percentile(&sign_in, 99),
        take_ms_p50: percentile(&take, 50),
        take_ms_p99: percentile(&take, 99),
        connect_ms_p50: percentile(&connect, 50),
        connect_ms_p99: percentile(&connect, 99),
        reconcile_ms: ready.reconcile_ms,
        look_ms: ready.look_ms,
        rss_mib,
        failed,
    })
}

/// Milliseconds for signing in, a desktop, and a ticket.
async fn visit(http: &reqwest::Client, url: &str, person: usize, pool: usize) -> Result<[f64; 3]> {
    let began = Instant::now();
    let login = json!({"name": format!("person-{person}"), "password": PASSWORD});
    let answer = http.post(format!("{url}/api/v1/login")).json(&login).send().await?;
    let cookie = answer.headers().get("set-cookie").context("no cookie")?.to_str()?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let me: Value = answer.json().await?;
    let csrf = me.get("csrf").and_then(Value::as_str).context("not signed in")?.to_owned();
    let signed_in = began.elapsed();
    let post = async |path: String, body: Value| -> Result<(Value, Duration)> {
        let began = Instant::now();
        let request = http.post(format!("{url}/api/v1{path}")).header("cookie", &cookie).header("origin", url);
        let answer = request.header("x-oriel-csrf", &csrf).json(&body).send().await?;
        let (good, said) = (answer.status().is_success(), answer.json::<Value>().await?);
        ensure!(good, "{said}");
        Ok((said, began.elapsed()))
    };
    let (desktop, taken) = post(format!("/pools/pool-{pool}/take"), json!({})).await?;
    let id = desktop.get("id").and_then(Value::as_str).context("no desktop")?;
    let (_, connected) = post(format!("/desktops/{id}/connect"), json!({"kind": "rdp"})).await?;
    Ok([signed_in, taken, connected].map(|time| time.as_secs_f64() * 1000.0))
}

fn percentile(times: &[f64], of_hundred: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * of_hundred).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

fn rss_mib(house: &Child) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.id().context("the house has ended")?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

fn pools_of(desktops: usize) -> usize {
    (desktops / 10).clamp(1, POOLS_MAX)
}

#[derive(Debug, clap::Args)]
pub struct HouseOptions {
    #[arg(long)]
    desktops: usize,
    #[arg(long)]
    people: usize,
}

struct Nowhere;

#[async_trait::async_trait]
impl Dialler for Nowhere {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        Err(DialError { code: ByeCode::Unreachable, text: "nobody is there".into() })
    }
}

/// `oriel-bench broker-house`: until it is ended.
pub async fn house(options: HouseOptions) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path().join("oriel.db").to_str().context("no path")?).await?;
    let host = Arc::new(FakeCompute::new("here", FakeMode::Auto));
    host.forget_calls();
    let broker = Broker::new(
        store.clone(),
        Vault::load(folder.path())?,
        host.clone(),
        ImageStore::new(folder.path().join("images"), folder.path().join("cache")),
        Accelerator { kind: AcceleratorKind::Tcg, reason: "a benchmark".into() },
    );
    broker.set_recordings(oriel_recording::RecordingStore::memory());
    let one = furnish(&store, &host, folder.path(), &options).await?;
    let (reconcile_ms, look_ms) = changes(&broker, &one).await?;
    let gateway = Gateway::new(Arc::new(Nowhere));
    let router = oriel_server::router(broker.clone(), gateway, Arc::new(|| async { Vec::new() }.boxed()));
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    broker.start_reconcilers(&stop, &tasks);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    say(&Ready { port, reconcile_ms, look_ms })?;
    oriel_server::serve_door(Door::Tcp { listener, tls: None }, router, stop, tasks).await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the benchmark's other half reads it")]
fn say(ready: &Ready) -> Result<()> {
    println!("{}", serde_json::to_string(ready)?);
    Ok(())
}

/// Everything as after days of work: desktops that run and are nobody's, and people who have not come yet. Answers some of the desktops.
async fn furnish(store: &Store, host: &FakeCompute, folder: &Path, options: &HouseOptions) -> Result<Vec<DesktopId>> {
    let image = Image {
        id: ImageId::new(),
        name: "debian".parse()?,
        version: 0,
        state: ImageState::Ready,
        os: ImageOs::Linux,
        source: ImageSource::Built { recipe: "debian-desktop".into(), inputs: "x".into(), packages: Vec::new() },
        sha256: "0".repeat(64),
        virtual_bytes: 4 << 30,
        file_bytes: 1 << 20,
        created: now(),
    };
    let image = store.put_image(&image).await?;
    let name: oriel_model::Name = "guest".parse()?;
    let identity = GuestIdentity::generate(&name, None)?;
    let (count, mut some) = (pools_of(options.desktops), Vec::new());
    let mut pools = Vec::new();
    for number in 0..count {
        let most = options.desktops / count + usize::from(number < options.desktops % count);
        let pool = Pool {
            id: PoolId::new(),
            name: format!("pool-{number}").parse()?,
            kind: PoolKind::Floating,
            image: Some(image.id),
            vcpus: 2,
            memory_mib: 2048,
            disk_gib: 8,
            network: Network::Nat { network: "default".into() },
            desktops_max: u32::try_from(most)?,
            keyboard: "us".into(),
            gpu: None,
            hardware: Hardware::default(),
            recording: RecordingPolicy::Off,
            policy: SessionPolicy::default(),
            size: PoolSize { running_spares: u32::try_from(most)?.min(1000), ..PoolSize::default() },
            hours: oriel_model::PoolHours::default(),
            leaving: oriel_model::Leaving::default(),
            cloud: None,
            personal_disk: None,
            created: now(),
        };
        store.create_pool(&pool).await?;
        for place in 1..=most {
            let desktop = desktop(&pool, place, host.name())?;
            store.create_desktop(&desktop).await?;
            let spec = spec(&pool, &desktop)?;
            host.clone_disk(&spec, folder).await?;
            host.write_seed(&spec, &identity).await?;
            host.define(&spec).await?;
            host.start(&spec).await?;
            if place == 1 {
                some.push(desktop.id);
            }
        }
        pools.push(pool.id);
    }
    let hash = hash_password(&SecretString::from(PASSWORD))?;
    for person in 0..options.people {
        let user = User {
            id: UserId::new(),
            name: format!("person-{person}"),
            role: Role::User,
            must_change_password: false,
            disabled: false,
            created: now(),
        };
        store.create_user(&user, &hash).await?;
        if let Some(pool) = pools.get(person % count) {
            store.entitle(*pool, user.id).await?;
        }
    }
    Ok(some)
}

fn desktop(pool: &Pool, place: usize, host: &str) -> Result<Desktop> {
    Ok(Desktop {
        id: DesktopId::new(),
        name: format!("{}-{place}", pool.name).parse()?,
        pool: pool.id,
        owner: None,
        intent: DesktopIntent::Running,
        state: DesktopState::Ready,
        failure: None,
        step: None,
        generation: 1,
        host: Some(host.to_owned()),
        port_base: None,
        facts: DesktopFacts { image: pool.image, ready: Some(Micros(0)), ..DesktopFacts::default() },
        external: None,
        created: Micros(0),
        changed: Micros(0),
    })
}

fn spec(pool: &Pool, desktop: &Desktop) -> Result<MachineSpec> {
    Ok(MachineSpec {
        desktop: desktop.id,
        generation: desktop.generation,
        name: desktop.name.clone(),
        title: String::new(),
        os: ImageOs::Linux,
        arch: Arch::X86_64,
        boot: Boot::Disk,
        vcpus: pool.vcpus,
        memory_mib: pool.memory_mib,
        disk_gib: pool.disk_gib,
        accelerator: AcceleratorKind::Tcg,
        network: pool.network.clone(),
        port_base: None,
        keyboard: pool.keyboard.parse()?,
        gpus: Vec::new(),
        hardware: Hardware::default(),
        cloud: None,
        home: None,
    })
}

/// Milliseconds that one change takes until all is at rest, and that a look at everything takes.
async fn changes(broker: &Broker, some: &[DesktopId]) -> Result<(f64, f64)> {
    let mut hands = Vec::new();
    for name in ["desktops", "pools"] {
        hands.push(broker.by_hand(name).context("no such reconciler")?);
    }
    let began = Instant::now();
    for hand in &mut hands {
        hand.round().await?;
    }
    let look = began.elapsed().as_secs_f64() * 1000.0;
    to_rest(&mut hands).await?;
    let mut times = Vec::new();
    for change in 0..CHANGES {
        let Some(id) = some.get(change % some.len().max(1)) else { break };
        // A restart: switched off, on, and ready again.
        broker.set_intent(*id, DesktopIntent::Restart).await?;
        times.push(to_rest(&mut hands).await?);
    }
    Ok((percentile(&times, 50), look))
}

/// Milliseconds of all rounds until nothing moves.
async fn to_rest(hands: &mut [ByHand]) -> Result<f64> {
    let began = Instant::now();
    let mut moving = true;
    while moving {
        moving = false;
        for hand in &mut *hands {
            moving |= hand.round().await?.1;
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}
