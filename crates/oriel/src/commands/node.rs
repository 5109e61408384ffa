//! `oriel node`: this board as a KVM-over-IP device, and what it can do of that.

use super::{
    device::{
        access::{Access, PASSWORD},
        drive,
    },
    doctor,
    gpu::paint::Paint,
};
use crate::{
    cli::{Global, Json},
    failure::{Done, FAILED, Failure},
    output::{self, say},
};
use clap::{Args, Subcommand};
use futures::FutureExt as _;
use oriel_device::{Device, DeviceOptions, Machine, Remote};
use oriel_model::Severity;
use oriel_node::{Config, ConfigError, Fetch};
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

/// The configuration where none is named.
const CONFIG: &str = "/etc/oriel/node.toml";
/// How long connections and wires may take to end.
const END_TIME_MAX: Duration = Duration::from_secs(5);

#[derive(Args)]
#[command(after_help = "The configuration is --config FILE, or /etc/oriel/node.toml; docs/node.md says what is in it.")]
pub struct Node {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
pub enum What {
    /// Find out what this board can do of what its configuration asks, and why it cannot
    Check {
        #[command(flatten)]
        json: Json,
    },
}

fn unusable(error: &ConfigError) -> Failure {
    let mut failure = Failure::usage("the node's configuration cannot be used").next("docs/node.md says what is in it");
    failure.why.push(error.to_string());
    failure
}

impl Node {
    pub async fn run(self, global: &Global) -> Done {
        let path = global.config.clone().unwrap_or_else(|| PathBuf::from(CONFIG));
        let config = Config::read(&path).map_err(|error| unusable(&error))?;
        match self.what {
            Some(What::Check { json }) => check(&config, json.json).await,
            None => serve(&config, &path).await,
        }
    }
}

async fn check(config: &Config, json: bool) -> Done {
    let findings = oriel_node::check(config).await;
    if json {
        output::print_json(&json!({ "findings": findings }))?;
    } else {
        output::print(doctor::report(&findings, Paint::of_stdout()).trim_end())?;
    }
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(Failure::silent(FAILED));
    }
    Ok(())
}

/// Who may, as `oriel device serve` takes them.
fn access(config: &Config, path: &Path) -> Result<Access, Failure> {
    let given = &config.access;
    let nobody = given.password_file.is_none()
        && given.users_file.is_none()
        && std::env::var_os(PASSWORD).is_none_or(|password| password.is_empty());
    if nobody && !config.listen.ip().is_loopback() {
        return Err(Failure::usage(format!("nobody would be asked who they are at {}", config.listen)).next(format!(
            "set access.password_file or access.users_file in {}, or give a password by {PASSWORD}",
            path.display()
        )));
    }
    Ok(Access {
        listen: config.listen,
        user: given.user.clone().unwrap_or_else(|| "admin".to_owned()),
        password_file: given.password_file.clone(),
        totp_file: given.totp_file.clone(),
        users_file: given.users_file.clone(),
        tls_certificate: given.tls_certificate.clone(),
        tls_key: given.tls_key.clone(),
        certificate_folder: Some(config.certificate_folder()),
    })
}

/// What happens goes to stderr, which systemd keeps; `ORIEL_LOG` says how much of it.
fn start_log() -> Done {
    let wanted = std::env::var("ORIEL_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = tracing_subscriber::EnvFilter::try_new(&wanted).map_err(|error| {
        Failure::because(format!("ORIEL_LOG={wanted:?} does not fit"), &error)
            .next("use error, warn, info, debug, or filters like oriel_node=debug,info")
            .code(crate::failure::USAGE)
    })?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).compact().init();
    Ok(())
}

async fn serve(config: &Config, path: &Path) -> Done {
    let access = access(config, path)?;
    let (accounts, made_up) = access.accounts()?;
    start_log()?;
    let images = config.images();
    std::fs::create_dir_all(&images).map_err(|error| {
        Failure::because(format!("cannot make {}", images.display()), &error)
            .next(format!("name a folder that can be written to as state in {}", path.display()))
    })?;
    // Only what can be a host's name goes into a certificate.
    let also = Some(config.name.clone()).filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()));
    let (tls, _folder) = access.tls(also.as_slice())?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        Failure::because(format!("cannot listen on {}", config.listen), &error)
            .next(format!("name another address as listen in {}", path.display()))
    })?;
    // Before anything is begun that has to be ended in order.
    let failed = |error| Failure::because("cannot wait for signals", &error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let fetch = config
        .fetches()
        .then(|| -> Fetch { Box::new(|from: Remote| async move { drive::fetched(&from).await }.boxed()) });
    let node = oriel_node::Node::begin(config, fetch).map_err(|error| {
        let mut failure =
            Failure::new("the node cannot begin").next(format!("oriel node check --config {}", path.display()));
        failure.why.push(error.to_string());
        failure
    })?;
    let node = Arc::new(node);
    let options = DeviceOptions {
        accounts,
        tls: Some(Arc::clone(&tls.config)),
        keep_picture: config.keeps_picture(),
        storage: Some(images),
        storage_bytes_max: config.images_bytes_max(),
        ..DeviceOptions::default()
    };
    let machine: Arc<dyn Machine> = node.clone();
    let device =
        Device::start(listener, machine, options).map_err(|error| Failure::because("cannot listen", &error))?;
    output::print(&format!("ready: https://{}", device.address()))?;
    if let Some(password) = &made_up {
        output::print(&format!("login: {} {}", access.user, password.expose_secret()))?;
    }
    let own = if tls.own { " (its own: programs must be told to trust it)" } else { "" };
    say(format!("{} is a PiKVM device; SHA-256 of its certificate{own}: {}", config.name, tls.fingerprint));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    say("stopping: keys and buttons are let go, the USB gadget is taken away");
    timeout(END_TIME_MAX, device.end()).await.ok();
    timeout(END_TIME_MAX, node.end()).await.ok();
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_others_reach_asks_who_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            access(&Config::read(&path).unwrap(), &path)
        };
        if std::env::var_os(PASSWORD).is_none() {
            let refused = of("listen = \"0.0.0.0:8443\"").err().unwrap();
            assert!(refused.next_step.unwrap().contains("access.password_file"));
        }
        assert!(of("listen = \"127.0.0.1:8443\"").is_ok());
        let given = of("listen = \"0.0.0.0:8443\"\nstate = \"/data\"\n[access]\nusers_file = \"/data/users\"").unwrap();
        assert_eq!(given.certificate_folder.unwrap(), PathBuf::from("/data/tls"));
    }
}
