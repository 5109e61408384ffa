//! `oriel desktop`.

use super::operation::finished;
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, or_dash, say, word},
};
use clap::{Args, Subcommand, ValueEnum};
use oriel_server::api::{
    desktop::{Desktop, DesktopList, DesktopNew, StepState},
    desktop_work::{DesktopMachine, DesktopMigrate, DesktopSnapshotNew},
    operation::Operation,
    pool::DesktopTake,
};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum Command {
    /// List everybody's desktops (with a token of somebody who is no admin: the own ones)
    List(Json),
    /// Make a desktop; it starts at once
    Create {
        /// Pool: id or name
        pool: String,
        /// Whose it is: id or name
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
        /// Name; the pool's name with a number when left out
        #[arg(long)]
        name: Option<String>,
    },
    /// Get a desktop of a pool: the one that they have, a free one, or a new one
    Take {
        /// Pool: id or name
        pool: String,
        /// For whom, for admins: id or name; yourself when left out
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Show one desktop
    Show {
        /// Id or name
        desktop: String,
        #[command(flatten)]
        json: Json,
    },
    /// Start it
    Start {
        /// Id or name
        desktop: String,
    },
    /// Shut it down
    Stop {
        /// Id or name
        desktop: String,
    },
    /// Shut it down and start it again
    Restart {
        /// Id or name
        desktop: String,
    },
    /// Its CD drive: images, and starting from one
    #[command(subcommand)]
    Drive(super::desktop_drive::Command),
    /// Let a session host take nobody new: when its last person has left, one of Oriel's own is made anew of its pool's image
    Drain {
        /// Id or name
        desktop: String,
    },
    /// Let a session host take people again
    Undrain {
        /// Id or name
        desktop: String,
    },
    /// Wipe it and make it again from its pool's image; what was stored on it is lost
    Recycle {
        /// Id or name
        desktop: String,
    },
    /// Show its machine on a cloud: flavor, host, snapshots
    Machine {
        /// Id or name
        desktop: String,
        #[command(flatten)]
        json: Json,
    },
    /// Give it the flavor that its pool says now, on a cloud
    ///
    /// It is switched off and on for that, and can go back until it is confirmed. Say the flavor with `oriel pool set POOL --flavor`.
    Resize {
        /// Id or name
        desktop: String,
        /// What it was brought to by a resize or a migration stays
        #[arg(long, conflicts_with = "revert")]
        confirm: bool,
        /// Bring it back to what it was before
        #[arg(long)]
        revert: bool,
    },
    /// Bring it to another host of its cloud, as an admin of the cloud
    ///
    /// One that runs goes on running. One that is off can go back until it is confirmed (`oriel desktop resize --confirm`).
    Migrate {
        /// Id or name
        desktop: String,
        /// The cloud's name of a host; the cloud chooses one when left out
        #[arg(long, value_name = "HOST")]
        to: Option<String>,
        /// Its host is down: make it anew on another one; what lay on that host's own disk is lost
        #[arg(long)]
        evacuate: bool,
    },
    /// Keep what its disk holds now under a name, go back to it, or delete it, on a cloud
    Snapshot(Snapshot),
    /// Delete it with its disk
    Delete {
        /// Id or name
        desktop: String,
    },
    /// Print the address that opens it in a browser
    Open {
        /// Id or name
        desktop: String,
        /// What to open
        #[arg(long, value_enum, default_value_t = Kind::Rdp)]
        kind: Kind,
    },
}

#[derive(Args)]
pub struct Snapshot {
    /// Id or name
    desktop: String,
    /// Its name: lowercase letters, digits and hyphens
    name: String,
    /// Bring the desktop's disk back to that snapshot; what was written since is lost
    #[arg(long, conflicts_with = "delete")]
    restore: bool,
    /// Delete that snapshot
    #[arg(long)]
    delete: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Kind {
    /// Its desktop
    Rdp,
    /// Its console
    Vnc,
    /// Its shell
    Ssh,
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List(Json { json: true }) => output::print_json(&list(client).await?),
            Self::List(_) => {
                let list = serde_json::from_value::<DesktopList>(list(client).await?).map_err(|error| {
                    Failure::because("the server's answer is not what this program expects", &error)
                })?;
                let mut rows = Rows::new(
                    ["name", "pool", "state", "user", "host", "connections", "changed"],
                    "there are no desktops yet: make one with `oriel desktop create POOL --owner USER`",
                )
                .right(&[5]);
                for desktop in list.desktops {
                    rows.row([
                        desktop.name.clone(),
                        desktop.pool.name.clone(),
                        state(&desktop),
                        or_dash(desktop.user.as_deref()),
                        or_dash(desktop.host.as_deref()),
                        desktop.connections.to_string(),
                        age(&desktop.changed_at),
                    ]);
                }
                rows.print()
            }
            Self::Create { pool, owner, name } => {
                let desktop: Desktop = client.post("/desktops", &DesktopNew { pool, owner, name }).await?;
                say(format!("made desktop {}; it starts now: oriel desktop show {}", desktop.name, desktop.name));
                output::print(&desktop.id)
            }
            Self::Take { pool, user, json: Json { json } } => {
                let path = format!("/pools/{}/take", segment(&pool));
                let taken: Value = client.post(&path, &DesktopTake { user, app: None }).await?;
                if json {
                    return output::print_json(&taken);
                }
                let desktop: Desktop = serde_json::from_value(taken).map_err(|error| {
                    Failure::because("the server's answer is not what this program expects", &error)
                })?;
                say(format!("{} is {}: oriel desktop open {}", desktop.name, state(&desktop), desktop.name));
                output::print(&desktop.id)
            }
            Self::Show { desktop, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&desktop)).await?)
            }
            Self::Show { desktop, .. } => show(&client.get(&path(&desktop)).await?),
            Self::Drive(drive) => drive.run(client).await,
            Self::Start { desktop } => intend(client, &desktop, "start", "starts").await,
            Self::Stop { desktop } => intend(client, &desktop, "stop", "shuts down").await,
            Self::Restart { desktop } => intend(client, &desktop, "restart", "restarts").await,
            Self::Drain { desktop } => {
                let host: Desktop = client.put_json(&format!("{}/drain", path(&desktop)), &json!({})).await?;
                say(format!("{} takes nobody new; who is on it stays until they leave", host.name));
                Ok(())
            }
            Self::Undrain { desktop } => {
                let host: Desktop = client.delete_for(&format!("{}/drain", path(&desktop))).await?;
                say(format!("{} takes people again", host.name));
                Ok(())
            }
            Self::Recycle { desktop } => intend(client, &desktop, "recycle", "is made again").await,
            Self::Machine { desktop, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&format!("{}/machine", path(&desktop))).await?)
            }
            Self::Machine { desktop, .. } => machine(&client.get(&format!("{}/machine", path(&desktop))).await?),
            Self::Resize { desktop, confirm, revert } => {
                let what = match (confirm, revert) {
                    (true, _) => "resize/confirm",
                    (_, true) => "resize/revert",
                    _ => "resize",
                };
                watch(client, client.post(&format!("{}/{what}", path(&desktop)), &json!({})).await?).await
            }
            Self::Migrate { desktop, to, evacuate } => {
                let wish = DesktopMigrate { to, evacuate };
                watch(client, client.post(&format!("{}/migrate", path(&desktop)), &wish).await?).await
            }
            Self::Snapshot(snapshot) => {
                let all = format!("{}/snapshots", path(&snapshot.desktop));
                let one = format!("{all}/{}", segment(&snapshot.name));
                let operation = if snapshot.restore {
                    client.post(&format!("{one}/restore"), &json!({})).await?
                } else if snapshot.delete {
                    client.delete_for(&one).await?
                } else {
                    client.post(&all, &DesktopSnapshotNew { name: snapshot.name }).await?
                };
                watch(client, operation).await
            }
            Self::Delete { desktop } => {
                client.delete(&path(&desktop)).await?;
                say(format!("{desktop} is being deleted"));
                Ok(())
            }
            Self::Open { desktop, kind } => {
                let found: Desktop = client.get(&path(&desktop)).await?;
                let base = client.browser_url().ok_or_else(|| {
                    Failure::new("the server has not written down its address")
                        .next("look at what `oriel serve` printed")
                })?;
                let kind = match kind {
                    Kind::Rdp => "rdp",
                    Kind::Vnc => "vnc",
                    Kind::Ssh => "ssh",
                };
                output::print(&format!("{}/viewer/?desktop={}&kind={kind}", base.trim_end_matches('/'), found.id))
            }
        }
    }
}

/// Everybody's for admins, the own ones for others.
async fn list(client: &Client) -> Result<Value, Failure> {
    match client.get("/desktops?all=true").await {
        Err(failure) if failure.problem.as_deref() == Some("admin_only") => client.get("/desktops").await,
        answer => answer,
    }
}

fn path(desktop: &str) -> String {
    format!("/desktops/{}", segment(desktop))
}

async fn intend(client: &Client, desktop: &str, what: &str, says: &str) -> Done {
    let desktop: Desktop = client.post(&format!("{}/{what}", path(desktop)), &json!({})).await?;
    say(format!("{} {says}", desktop.name));
    Ok(())
}

/// Watches what was begun to its end, and says what came of it.
async fn watch(client: &Client, operation: Operation) -> Done {
    let done = finished(client, operation).await?;
    say(done.step);
    Ok(())
}

/// How its machine stands on its cloud.
fn machine(machine: &DesktopMachine) -> Done {
    let mut rows = Rows::without_headings();
    let mut row = |name: &str, value: String| rows.row([name.to_owned(), value]);
    row("flavor", machine.flavor.clone());
    if let Some(other) = machine.pool_flavor.as_ref().filter(|flavor| **flavor != machine.flavor) {
        row("pool's flavor", other.clone());
    }
    let lost = if machine.host_lost { " (it does not answer to its cloud)" } else { "" };
    row("host", format!("{}{lost}", or_dash(machine.host.as_deref())));
    row("state", word(&machine.state));
    if let Some(doing) = &machine.doing {
        row("  what", doing.clone());
    }
    for one in &machine.snapshots {
        let size = if one.whole { output::bytes(one.bytes) } else { "being kept".to_owned() };
        let foreign = if one.foreign { ", of an earlier generation: it cannot be restored" } else { "" };
        row("snapshot", format!("{} ({size}, {}{foreign})", one.name, age(&one.created_at)));
    }
    rows.print()
}

/// The state with the step it is at.
fn state(desktop: &Desktop) -> String {
    match &desktop.step {
        Some(step) => format!("{}, {}", word(&desktop.state), word(step)),
        None if desktop.draining => format!("{}, draining", word(&desktop.state)),
        None => word(&desktop.state),
    }
}

fn show(desktop: &Desktop) -> Done {
    let facts = &desktop.facts;
    let mut rows = Rows::without_headings();
    let mut row = |name: &str, value: String| rows.row([name.to_owned(), value]);
    row("name", desktop.name.clone());
    row("id", desktop.id.clone());
    row("pool", desktop.pool.name.clone());
    row("user", or_dash(desktop.user.as_deref()));
    row("state", state(desktop));
    row("wanted", word(&desktop.intent));
    if let Some(failure) = &desktop.failure {
        row("failure", failure.clone());
    }
    if let Some(problem) = &desktop.sign_on_problem {
        row("sign-on", problem.clone());
    }
    if desktop.start_steps.iter().any(|step| step.state == StepState::Now) {
        for step in &desktop.start_steps {
            row(&format!("  {}", word(&step.step)), word(&step.state));
        }
    }
    row("host", or_dash(desktop.host.as_deref()));
    row("image", or_dash(Some(&facts.image)));
    row(
        "size",
        format!("{} vCPU{}, {} MiB of memory", facts.vcpus, if facts.vcpus == 1 { "" } else { "s" }, facts.memory_mib),
    );
    row("accelerator", or_dash(facts.accelerator.as_deref()));
    if let Some(reason) = &facts.accelerator_reason {
        row("  why", reason.clone());
    }
    if let Some(at) = &facts.started_at {
        let took = facts.start_seconds.map(|seconds| format!(", ready after {seconds:.0} s")).unwrap_or_default();
        row("started", format!("{}{took}", age(at)));
    }
    row("connections", desktop.connections.to_string());
    row("made", age(&desktop.created_at));
    rows.print()
}
