//! `oriel serve`: wires the rooms together and keeps them running until it is told to stop.
//!
//! ```text
//! configuration ─▶ data folder's lock ─▶ store, vault, images, host ─▶ broker ⇄ gateway ─▶ doors (TCP, unix) ─▶ ready
//! SIGINT, SIGTERM ─▶ doors close ─▶ viewers are told ─▶ what is being done finishes, 10 s at most ─▶ end (desktops run on)
//! ```

use crate::{
    absent::Absent,
    cli::Global,
    config::{AcceleratorChoice, Config},
    demo,
    failure::{Done, Failure},
    guest_commands::OverSsh,
    jump::Jumps,
    lock::{DataFolder, write_private},
    output::{self, say},
    traces::Traces,
    wires::{Doors, Live, Shelf},
};
use clap::Args;
use futures::FutureExt as _;
use oriel_broker::{Broker, BrokerError, Films, Outside};
use oriel_compute::{Compute, probe};
use oriel_gateway::Gateway;
use oriel_identity::Vault;
use oriel_image::ImageStore;
use oriel_model::{Accelerator, AcceleratorKind};
use oriel_recording::{Bucket, RecordingStore};
use oriel_screen::ByeCode;
use oriel_server::{Door, LocalDoor, STOP_TIME_MAX, tls::Tls};
use oriel_store::Store;
use secrecy::ExposeSecret;
use std::{io::IsTerminal, net::SocketAddr, sync::Arc};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing_subscriber::{
    Layer as _, Registry,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

#[derive(Args)]
pub struct Serve {
    /// ADDRESS:PORT for browsers; TLS unless it is a loopback address
    #[arg(long)]
    listen: Option<String>,
    /// Set up an image, a pool, a desktop and a person to try it with, and print the login
    #[arg(long)]
    demo: bool,
    /// Start although some secrets are sealed with keys that are lost: those must be entered anew
    #[arg(long)]
    despite_lost_keys: bool,
}

/// A library that tells more than an admin can use: each migration.
const QUIET: &str = "sea_orm_migration=warn";

/// What runs.
struct House {
    broker: Broker,
    gateway: Gateway,
    store: Store,
    outside: Arc<Outside>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Serve {
    pub async fn run(self, global: &Global) -> Done {
        let config = global.config(self.listen.clone())?;
        let traces = start_log(&config)?;
        let folder = DataFolder::take(&config.data())?;
        raise_open_files();
        let house = build(&config, &folder, self.despite_lost_keys).await?;
        let url = open_doors(&config, &folder, &house).await?;
        let served = self.serve(&folder, &house, &url).await;
        std::fs::remove_file(folder.file("oriel.url")).ok();
        stop(house).await;
        if let Some(traces) = traces {
            traces.end().await;
        }
        served
    }

    /// Says what there is to say, then waits for the end.
    async fn serve(&self, folder: &DataFolder, house: &House, url: &str) -> Done {
        first_login(folder, &house.broker).await?;
        // It listens before anybody is told that we are ready, and without a gap afterwards.
        let mut ending = std::pin::pin!(ending());
        tokio::select! {
            biased;
            end = &mut ending => return end,
            done = self.announce(folder, house, url) => done?,
        }
        crate::memory::forget_the_start();
        ending.await
    }

    async fn announce(&self, folder: &DataFolder, house: &House, url: &str) -> Done {
        if !self.demo {
            return output::print(&format!("ready: {url}"));
        }
        let login = demo::ensure(folder, &house.broker).await?;
        output::print(&format!("ready: {url}"))?;
        match login {
            Some(login) => output::print(&format!("login: {} {}", login.user, login.password.expose_secret())),
            None => Ok(()),
        }
    }
}

/// A session costs some seven open files here, and a service's soft limit is 1024 unless somebody raises it.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, ?limit, "The number of open files cannot be raised");
    }
}

/// And traces, where the environment asks for them.
fn start_log(config: &Config) -> Result<Option<Traces>, Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(format!("{QUIET},{}", config.get("log"))).map_err(|error| {
        Failure::because(format!("log = {:?} does not fit", config.get("log")), &error)
            .next("use error, warn, info, debug, or filters like oriel_rdp=debug,info")
            .code(crate::failure::USAGE)
    })?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter.clone()).with_writer(std::io::stderr).with_ansi(colours);
    // Told on stderr, by a macro that panics: whoever read it may have gone.
    let log = log.log_internal_errors(false);
    let is_json = config.get("log_format") == "json";
    let Some(wish) = crate::traces::Wish::read(|name| std::env::var(name).ok())? else {
        if is_json {
            log.json().init();
        } else {
            log.compact().init();
        }
        return Ok(None);
    };
    let (traces, tracer) = wish.start()?;
    let lines = tracing_subscriber::fmt::layer::<Registry>()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .log_internal_errors(false);
    let lines = if is_json { lines.json().boxed() } else { lines.compact().boxed() };
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        // An error's text may name people and files: it is for the log.
        .with_error_events_to_status(false)
        .with_error_events_to_exceptions(false)
        .with_error_fields_to_exceptions(false)
        .with_error_records_to_exceptions(false)
        .with_filter(Targets::new().with_target("oriel", LevelFilter::INFO));
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).init();
    Ok(Some(traces))
}

async fn build(config: &Config, folder: &DataFolder, despite_lost_keys: bool) -> Result<House, Failure> {
    let store = Store::open(config.get("database")).await.map_err(|error| {
        Failure::because("cannot open the database", &error).next("look at `database` in `oriel config show`")
    })?;
    let vault = Vault::load(&folder.path).map_err(|error| {
        Failure::because("cannot read the key that seals secrets", &error)
            .next("restore the data folder's seal.key, or set ORIEL_SEAL_KEY")
    })?;
    let images = ImageStore::new(config.get("images"), std::path::Path::new(config.get("cache")).join("images"));
    let accelerator = accelerator(config, folder).await?;
    tracing::info!(kind = accelerator.kind.word(), reason = accelerator.reason, "Desktops run on this");
    let compute = compute(config, folder);
    let broker = Broker::new(store.clone(), vault, compute, images, accelerator);
    broker.set_program(format!("{}:{}", host_name(), folder.path.display()));
    check_keys(&broker, despite_lost_keys).await?;
    broker.set_gpu_rules(config.gpu_rules());
    let recordings = RecordingStore::folder(config.get("recordings")).map_err(|error| {
        Failure::because("cannot keep recordings", &error).next("look at `recordings` in `oriel config show`")
    })?;
    broker.set_recordings(match config.bucket()? {
        None => recordings,
        Some(options) => recordings.with_bucket(Bucket::new(&options).map_err(|error| {
            Failure::because("cannot use the bucket of recordings", &error)
                .next("look at `recording.store` in `oriel config show`")
        })?),
    });
    broker.set_recording_days(config.recording_days().unwrap_or_default());
    let outside = Arc::new(config.outside());
    broker.set_outside(Arc::clone(&outside));
    broker.set_realms(config.realms());
    let workers = oriel_worker::program(config.get("log"), config.get("log_format") == "json").map_err(|error| {
        Failure::because("cannot tell which program this is, to start sessions with", &error)
            .next("start it by its path; /proc must be mounted")
    })?;
    let gateway = Gateway::with_workers(Arc::new(Doors(broker.clone())), workers);
    gateway.set_recordings(Arc::new(Shelf(broker.clone())));
    let program = oriel_worker::film_program().map_err(|error| {
        Failure::because("cannot tell which program this is, to make films with", &error)
            .next("start it by its path; /proc must be mounted")
    })?;
    broker.set_films(Films { program, folder: folder.file("films") });
    broker.set_sessions(Arc::new(Live(gateway.clone())));
    broker.set_jump_dialler(Arc::new(Jumps::default()));
    broker.set_guest_commands(Arc::new(OverSsh));
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    broker.start_reconcilers(&stop, &tasks);
    tasks.spawn(stop.clone().run_until_cancelled_owned({
        let (gateway, broker) = (gateway.clone(), broker.clone());
        async move {
            loop {
                gateway.changed().await;
                broker.connections_changed();
            }
        }
    }));
    Ok(House { broker, gateway, store, outside, stop, tasks })
}

/// Without a key that something is sealed with this program would fail here and there, hours later.
async fn check_keys(broker: &Broker, despite_lost_keys: bool) -> Done {
    match broker.check_seal_keys().await {
        Ok(()) => Ok(()),
        Err(BrokerError::Conflict { text, .. }) if despite_lost_keys => {
            tracing::error!(reason = text, "Starting without some of the keys that seal secrets");
            Ok(())
        }
        Err(BrokerError::Conflict { text, next_step, .. }) => {
            Err(Failure::new(text)
                .next(format!("{next_step}; if it is lost for good: oriel serve --despite-lost-keys")))
        }
        Err(error) => Err(Failure::because("cannot tell what secrets are sealed with", &error)),
    }
}

#[cfg(feature = "libvirt")]
fn compute(config: &Config, folder: &DataFolder) -> Arc<dyn Compute> {
    use oriel_libvirt::{LibvirtCompute, LibvirtConfig};
    let uri = config.get("libvirt_uri").to_owned();
    if uri == "none" {
        return Arc::new(Absent { uri });
    }
    Arc::new(LibvirtCompute::new(LibvirtConfig {
        name: host_name(),
        uri,
        data: folder.path.clone(),
        run: folder.file("run"),
        ports: config.ports(),
    }))
}

#[cfg(not(feature = "libvirt"))]
fn compute(config: &Config, _: &DataFolder) -> Arc<dyn Compute> {
    Arc::new(Absent { uri: config.get("libvirt_uri").to_owned() })
}

async fn accelerator(config: &Config, folder: &DataFolder) -> Result<Accelerator, Failure> {
    let configured = |kind| Accelerator { kind, reason: "the configuration says so (accelerator)".to_owned() };
    Ok(match config.accelerator()? {
        AcceleratorChoice::Kvm => configured(AcceleratorKind::Kvm),
        AcceleratorChoice::Tcg => configured(AcceleratorKind::Tcg),
        AcceleratorChoice::Auto => {
            if !folder.file("probe.json").exists() {
                say("checking whether KVM really runs guests here (once, up to 20 s)");
            }
            probe::probe(&folder.path).await.accelerator()
        }
    })
}

/// Opens the doors; answers the address for browsers.
async fn open_doors(config: &Config, folder: &DataFolder, house: &House) -> Result<String, Failure> {
    let (data, uri) = (folder.path.clone(), config.get("libvirt_uri").to_owned());
    let bucket = config.bucket()?;
    let doctor = Arc::new(move || {
        let (data, uri, bucket) = (data.clone(), uri.clone(), bucket.clone());
        async move {
            let mut findings = super::doctor::host(&data, &uri).await;
            findings.extend(super::doctor::bucket(bucket.as_ref()).await);
            findings
        }
        .boxed()
    });
    let proxy = config.proxy()?;
    if proxy.is_some() {
        house
            .broker
            .ensure_proxy_provider()
            .await
            .map_err(|error| Failure::because("cannot let people in by the proxy in front", &error))?;
    }
    let router = oriel_server::router_behind(proxy, house.broker.clone(), house.gateway.clone(), doctor);

    let listen = config.get("listen");
    let cannot = |error: &std::io::Error| {
        let failure = Failure::because(format!("cannot listen on {listen}"), error);
        match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                failure.next("choose another ADDRESS:PORT with --listen; `ss -tlnp` shows who has it")
            }
            std::io::ErrorKind::InvalidInput => {
                failure.next("give ADDRESS:PORT, like 127.0.0.1:8470").code(crate::failure::USAGE)
            }
            _ => failure.next("choose another ADDRESS:PORT with --listen; `ip address` shows this machine's"),
        }
    };
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(listen).await.map_err(|error| cannot(&error))?.collect();
    let listener = TcpListener::bind(addresses.as_slice()).await.map_err(|error| cannot(&error))?;
    let local = listener.local_addr().map_err(|error| cannot(&error))?;
    house.outside.set_own(vec![local]);
    let tls = tls(config, folder, local)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let host = if local.ip().is_unspecified() { host_name() } else { SocketAddr::new(local.ip(), 0).ip().to_string() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let url = format!("{scheme}://{host}:{}/", local.port());
    let tls = tls.map(|tls| TlsAcceptor::from(tls.config));

    let socket = folder.file("oriel.sock");
    let local = LocalDoor::bind(&socket)
        .map_err(|error| Failure::because(format!("cannot make the socket {}", socket.display()), &error))?;
    for door in [Door::Tcp { listener, tls }, Door::Unix(local)] {
        house.tasks.spawn(oriel_server::serve_door(door, router.clone(), house.stop.clone(), house.tasks.clone()));
    }
    write_private(&folder.file("oriel.url"), &url)
        .map_err(|error| Failure::because("cannot write into the data folder", &error))?;
    tracing::info!(%url, data = %folder.path.display(), "Listening");
    Ok(url)
}

/// None where only this machine can reach us.
fn tls(config: &Config, folder: &DataFolder, address: SocketAddr) -> Result<Option<Tls>, Failure> {
    let failed = |error| Failure::because("cannot set up TLS", &error);
    if let (Some(certificate), Some(key)) = (config.path("tls_certificate"), config.path("tls_key")) {
        return Tls::from_files(&certificate, &key).map(Some).map_err(failed);
    }
    if address.ip().is_loopback() {
        return Ok(None);
    }
    let names = oriel_server::tls::names(&host_name(), &[address.ip()]);
    let tls = Tls::own(&folder.file("tls"), &names).map_err(failed)?;
    say(format!(
        "browsers will warn once about a certificate of our own; its SHA-256 fingerprint is\n  {}",
        tls.fingerprint
    ));
    Ok(Some(tls))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// The one-time password of the first admin: printed once, kept in a file until it has been used.
async fn first_login(folder: &DataFolder, broker: &Broker) -> Done {
    let file = folder.file("first-login");
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::because("cannot make the first admin", error);
    if let Some((user, password)) = broker.ensure_admin().await.map_err(|error| failed(&error))? {
        let line = format!("{} {}\n", user.name, password.expose_secret());
        write_private(&file, &line).map_err(|error| failed(&error))?;
        say(format!(
            "first login: {} {}   (once; also in {} until it is changed)",
            user.name,
            password.expose_secret(),
            file.display()
        ));
    } else if file.exists() {
        let waiting = broker.find_user("admin").await.is_ok_and(|admin| admin.must_change_password);
        if waiting {
            say(format!("nobody has signed in as admin yet; the one-time password is in {}", file.display()));
        } else {
            std::fs::remove_file(&file).ok();
        }
    }
    Ok(())
}

async fn ending() -> Done {
    let failed = |error| Failure::because("cannot wait for signals", &error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn stop(house: House) {
    say("stopping; desktops keep running");
    house.stop.cancel();
    house.tasks.close();
    let finish = async {
        house.gateway.end_where(|_, _| true, ByeCode::ServerShutdown, "the server is shutting down").await;
        house.tasks.wait().await;
        while !house.gateway.connections().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        finished = tokio::time::timeout(STOP_TIME_MAX, finish) => {
            if finished.is_err() {
                tracing::warn!(seconds = STOP_TIME_MAX.as_secs(), "Something did not finish in time; stopping anyway");
            }
        }
        // Asked twice: now.
        _ = ending() => {}
    }
    if let Err(error) = house.broker.resign().await {
        tracing::warn!(%error, "Other programs on this database will wait for a minute before they take over");
    }
    if let Err(error) = house.store.close().await {
        tracing::warn!(%error, "The database did not close cleanly");
    }
}
