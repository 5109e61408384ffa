//! The command line.

use crate::{
    client::Client,
    commands::{
        app, apply, audit, backup, booking, cloud, config, desktop, device, directory, disk, doctor, export, gpu,
        group, image, import, machine, node, operation, pool, provider, quota, recording, secrets, serve, session,
        syslog, token, user, webhook,
    },
    config::{Config, Flags},
    failure::{Done, Failure},
    output,
};
use clap::{Args, Parser, Subcommand};
use secrecy::SecretString;
use std::path::PathBuf;

/// Linux servers, with GPUs or without, as desktops in a browser tab.
#[derive(Parser)]
#[command(
    name = "oriel",
    version,
    about,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 no server answers, 130 interrupted."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args)]
#[command(next_help_heading = "Which server, which configuration")]
pub struct Global {
    /// Folder of everything that is kept
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Talk to this server rather than to this machine's; needs a token
    #[arg(long, global = true, value_name = "URL", env = "ORIEL_SERVER", hide_env_values = true)]
    pub server: Option<String>,
    /// File with the token for --server (or put the token into ORIEL_TOKEN)
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificate (PEM) of --server to trust
    #[arg(long, global = true, value_name = "FILE", env = "ORIEL_CERTIFICATE", hide_env_values = true)]
    pub certificate: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run the server in the foreground
    Serve(serve::Serve),
    /// Find out what works on this machine and what does not; needs no server
    Doctor(doctor::Doctor),
    /// GPUs: what each can do, and why it cannot; needs no server
    #[command(subcommand)]
    Gpu(gpu::Command),
    /// OpenStack clouds: what works there and what does not; needs no server
    #[command(subcommand)]
    Cloud(cloud::Command),
    /// Golden disks
    #[command(subcommand)]
    Image(image::Command),
    /// Ways to build images
    #[command(subcommand)]
    Recipe(image::RecipeCommand),
    /// Sets of like desktops, and who may use them
    #[command(subcommand)]
    Pool(pool::Command),
    /// Programs that pools publish: opened without the desktop around them
    #[command(subcommand)]
    App(app::Command),
    /// Machines that people use
    #[command(subcommand)]
    Desktop(desktop::Command),
    /// Machines that Oriel does not run, by their addresses
    #[command(subcommand)]
    Machine(machine::Command),
    /// Devices of machines (PiKVM, BMC): power, drive, switches, what to start from
    #[command(subcommand)]
    Device(device::Command),
    /// This board as a KVM-over-IP device (PiKVM's API) in front of another machine; needs no server
    Node(node::Node),
    /// Make true what files declare: images, groups, pools with whom they let in, machines, people's roles
    Apply(apply::Apply),
    /// Write the present configuration as a file that `apply` takes
    Export(export::Export),
    /// Bring in what another program keeps
    #[command(subcommand)]
    Import(import::Command),
    /// People who may sign in
    #[command(subcommand)]
    User(user::Command),
    /// People together: who may use pools, and what they may do there
    #[command(subcommand)]
    Group(group::Command),
    /// The most that people may hold at the same time
    #[command(subcommand)]
    Quota(quota::Command),
    /// Desktops of pools that are kept for people for a span of time
    #[command(subcommand)]
    Booking(booking::Command),
    /// Personal disks: people's homes, which follow them from desktop to desktop
    #[command(subcommand)]
    Disk(disk::Command),
    /// LDAP directories and Active Directory, whose people may sign in
    #[command(subcommand)]
    Directory(directory::Command),
    /// Providers of identities (OpenID Connect), by which people may sign in
    #[command(subcommand)]
    Provider(provider::Command),
    /// Tokens of programs that sign in
    #[command(subcommand)]
    Token(token::Command),
    /// Long jobs
    #[command(subcommand)]
    Operation(operation::Command),
    /// Live connections
    #[command(subcommand)]
    Session(session::Command),
    /// Recorded connections
    #[command(subcommand)]
    Recording(recording::Command),
    /// Who did what
    #[command(subcommand)]
    Audit(audit::Command),
    /// Addresses that are told of what is done
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Receivers of syslog that are told of what is done
    #[command(subcommand)]
    Syslog(syslog::Command),
    /// The keys that seal secrets in the database: status, rotation
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// The configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Write what would be lost with this machine into one file: the database, keys, the configuration
    Backup(backup::Backup),
    /// Put a backup back, into an empty data folder and an empty database; needs no server
    Restore(backup::Restore),
    /// One session, in a process of its own; started by `serve`
    #[command(hide = true)]
    SessionWorker,
    /// One film of a recording, in a process of its own; started by `serve`
    #[command(hide = true)]
    FilmWorker,
    /// Print the API's description
    Openapi,
    /// Print the version
    Version,
}

/// For lists and single things.
#[derive(Args)]
pub struct Json {
    /// Print JSON for programs
    #[arg(long)]
    pub json: bool,
}

impl Global {
    pub fn config(&self, listen: Option<String>) -> Result<Config, Failure> {
        Config::read(&Flags { config: self.config.clone(), data: self.data.clone(), listen })
    }

    pub fn client(&self) -> Result<Client, Failure> {
        let Some(server) = &self.server else { return Ok(Client::local(&self.config(None)?.data())) };
        let token = match &self.token_file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure::because(format!("cannot read the token in {}", path.display()), &error))?,
            None => std::env::var("ORIEL_TOKEN").map_err(|_| {
                Failure::usage("--server needs a token")
                    .next("make one with `oriel token create LABEL --user NAME` on the server; put it into ORIEL_TOKEN or name its file with --token-file")
            })?,
        };
        Client::remote(server, SecretString::from(token.trim().to_owned()), self.certificate.as_deref())
    }
}

impl Cli {
    /// Runs a command that talks to a server or to nobody; `serve` and `doctor` are started by `main`.
    pub async fn run(self) -> Done {
        let global = &self.global;
        match self.command {
            Command::Serve(serve) => serve.run(global).await,
            Command::Doctor(doctor) => doctor.run(global).await,
            Command::Gpu(command) => command.run(global),
            Command::Cloud(command) => command.run(global).await,
            Command::Image(command) => command.run(&global.client()?).await,
            Command::Recipe(command) => command.run(&global.client()?).await,
            Command::Pool(command) => command.run(&global.client()?).await,
            Command::App(command) => command.run(&global.client()?).await,
            Command::Desktop(command) => command.run(&global.client()?).await,
            Command::Machine(command) => command.run(&global.client()?).await,
            Command::Device(command) => command.run(global.client()?).await,
            Command::Node(node) => node.run(global).await,
            Command::Apply(apply) => apply.run(&global.client()?).await,
            Command::Export(export) => export.run(&global.client()?).await,
            Command::Import(command) => command.run(&global.client()?).await,
            Command::User(command) => command.run(&global.client()?).await,
            Command::Group(command) => command.run(&global.client()?).await,
            Command::Quota(command) => command.run(&global.client()?).await,
            Command::Booking(command) => command.run(&global.client()?).await,
            Command::Disk(command) => command.run(&global.client()?).await,
            Command::Directory(command) => command.run(&global.client()?).await,
            Command::Provider(command) => command.run(&global.client()?).await,
            Command::Token(command) => command.run(&global.client()?).await,
            Command::Operation(command) => command.run(&global.client()?).await,
            Command::Session(command) => command.run(&global.client()?).await,
            Command::Recording(command) => command.run(&global.client()?).await,
            Command::Audit(command) => command.run(&global.client()?).await,
            Command::Webhook(command) => command.run(&global.client()?).await,
            Command::Syslog(command) => command.run(&global.client()?).await,
            Command::Secrets(command) => command.run(global).await,
            Command::Backup(backup) => backup.run(global).await,
            Command::Restore(restore) => restore.run(global).await,
            Command::Config(command) => command.run(global),
            // `main` has run it: it wants another runtime, and no configuration.
            Command::SessionWorker | Command::FilmWorker => Ok(()),
            Command::Openapi => output::print(oriel_server::openapi_document().trim_end()),
            Command::Version => output::print(concat!("oriel ", env!("CARGO_PKG_VERSION"))),
        }
    }
}
