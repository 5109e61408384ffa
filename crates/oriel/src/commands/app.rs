//! `oriel app`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, or_dash, say},
};
use clap::{Args, Subcommand};
use data_encoding::BASE64;
use oriel_model::{ICON_BYTES_MAX, check_icon};
use oriel_server::api::{
    app::{App, AppChange, AppList, AppNew, AppRun, OwnAppList},
    desktop::Desktop,
    pool::{DesktopTake, PoolList},
};
use serde_json::json;
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

#[derive(Subcommand)]
pub enum Command {
    /// List what pools publish (with a token of somebody who administers none: what they may open)
    List {
        /// Of this pool alone: id or name
        #[arg(long)]
        pool: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Publish a program of a pool's machines
    Create {
        /// Pool: id or name
        pool: String,
        /// What people see
        name: String,
        #[command(flatten)]
        run: Run,
        /// Its picture on people's cards: a PNG of at most 64 KiB and 512 by 512 pixels
        #[arg(long, value_name = "FILE")]
        icon: Option<PathBuf>,
    },
    /// Change a published program, for sessions that are opened from now on
    Set {
        /// Pool: id or name
        pool: String,
        /// Id or name
        app: String,
        /// Another name
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        run: Run,
        /// Another picture, or `none`
        #[arg(long, value_name = "FILE")]
        icon: Option<PathBuf>,
    },
    /// Publish a program no longer; sessions that are open go on
    Delete {
        /// Pool: id or name
        pool: String,
        /// Id or name
        app: String,
    },
    /// Get a desktop, or a place on a session host, on which it runs, and print the address that opens it in a browser
    Open {
        /// Pool: id or name
        pool: String,
        /// Id or name
        app: String,
    },
}

#[derive(Args)]
pub struct Run {
    /// A RemoteApp of Windows: its path there, or `||` and the name that it is published under
    #[arg(long, value_name = "PROGRAM", conflicts_with = "program")]
    remote_app: Option<String>,
    /// Any program with its arguments, which the machine runs instead of its desktop
    #[arg(long, value_name = "COMMAND")]
    program: Option<String>,
    /// Arguments of a RemoteApp
    #[arg(long, value_name = "TEXT", requires = "remote_app")]
    arguments: Option<String>,
    /// The folder that it starts in
    #[arg(long, value_name = "FOLDER")]
    folder: Option<String>,
}

impl Run {
    /// As a whole; `None` when nothing is said of it.
    fn wanted(self) -> Option<AppRun> {
        let Self { remote_app, program, arguments, folder } = self;
        let said = remote_app.is_some() || program.is_some() || folder.is_some();
        said.then_some(AppRun { remote_app, initial_program: program, arguments, folder })
    }
}

/// A file's picture as it is sent.
fn picture(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::because(format!("cannot read {}", file.display()), &error);
    // One byte more than may be tells that it is too long.
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).map_err(failed)?;
    read.take(ICON_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    check_icon(&bytes).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    Ok(BASE64.encode(&bytes))
}

/// What it starts, in words.
fn runs(run: &AppRun) -> String {
    let what = match (&run.remote_app, &run.initial_program) {
        (Some(remote), _) => Some(match &run.arguments {
            Some(arguments) => format!("{remote} {arguments}"),
            None => remote.clone(),
        }),
        (None, program) => program.clone(),
    };
    or_dash(what.as_deref())
}

async fn of_pool(client: &Client, pool: &str) -> Result<Vec<App>, Failure> {
    Ok(client.get::<AppList>(&format!("/pools/{}/apps", segment(pool))).await?.apps)
}

async fn find(client: &Client, pool: &str, key: &str) -> Result<App, Failure> {
    let found = of_pool(client, pool).await?.into_iter().find(|app| app.id == key || app.name == key);
    found.ok_or_else(|| {
        Failure::new(format!("{pool} publishes no app {key}")).next(format!("oriel app list --pool {pool}"))
    })
}

async fn list(client: &Client, pool: Option<String>) -> Result<Vec<App>, Failure> {
    if let Some(pool) = pool {
        return of_pool(client, &pool).await;
    }
    let mut apps = Vec::new();
    for pool in client.get::<PoolList>("/pools").await?.pools {
        apps.extend(of_pool(client, &pool.id).await?);
    }
    Ok(apps)
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List { pool, json: Json { json } } => {
                let apps = match list(client, pool).await {
                    Err(failure) if failure.problem.as_deref() == Some("admin_only") => return own(client, json).await,
                    apps => apps?,
                };
                if json {
                    return output::print_json(&json!({ "apps": apps }));
                }
                let mut rows = Rows::new(
                    ["name", "pool", "runs", "made", "id"],
                    "no pool publishes an app: oriel app create POOL NAME --program COMMAND",
                );
                for app in apps {
                    rows.row([app.name, app.pool.name, runs(&app.run), age(&app.created_at), app.id]);
                }
                rows.print()
            }
            Self::Create { pool, name, run, icon } => {
                let run = run.wanted().unwrap_or_default();
                let icon = icon.as_deref().map(picture).transpose()?;
                let new = AppNew { name, run, icon };
                let app: App = client.post(&format!("/pools/{}/apps", segment(&pool)), &new).await?;
                say(format!(
                    "{} publishes {}; whoever may use the pool finds it among their desktops",
                    app.pool.name, app.name
                ));
                output::print(&app.id)
            }
            Self::Set { pool, app, name, run, icon } => {
                let icon = match icon.as_deref() {
                    Some(none) if none.as_os_str() == "none" => Some(String::new()),
                    icon => icon.map(picture).transpose()?,
                };
                let found = find(client, &pool, &app).await?;
                let change = AppChange { name, run: run.wanted(), icon };
                let path = format!("/pools/{}/apps/{}", segment(&pool), segment(&found.id));
                let app: App = client.patch(&path, &change).await?;
                say(format!("changed {}: sessions that are opened from now on run it so", app.name));
                Ok(())
            }
            Self::Delete { pool, app } => {
                let found = find(client, &pool, &app).await?;
                client.delete(&format!("/pools/{}/apps/{}", segment(&pool), segment(&found.id))).await?;
                say(format!("{} is published no longer", found.name));
                Ok(())
            }
            Self::Open { pool, app } => open(client, &pool, &app).await,
        }
    }
}

/// What somebody may open, who administers no pool.
async fn own(client: &Client, json: bool) -> Done {
    let list: OwnAppList = client.get("/me/apps").await?;
    if json {
        return output::print_json(&json!({ "apps": list.apps }));
    }
    let mut rows = Rows::new(["name", "pool", "id"], "there is no app that you may open");
    for app in list.apps {
        rows.row([app.name, app.pool.name, app.id]);
    }
    rows.print()
}

async fn open(client: &Client, pool: &str, key: &str) -> Done {
    // Who administers nothing knows them from their own list.
    let own: OwnAppList = client.get("/me/apps").await?;
    let of_pool = |of: &&oriel_server::api::app::OwnApp| of.pool.id == pool || of.pool.name == pool;
    let found = own.apps.iter().filter(of_pool).find(|app| app.id == key || app.name == key);
    let id = match found {
        Some(app) => app.id.clone(),
        None => find(client, pool, key).await?.id,
    };
    let take = DesktopTake { user: None, app: Some(id.clone()) };
    let desktop: Desktop = client.post(&format!("/pools/{}/take", segment(pool)), &take).await?;
    let base = client.browser_url().ok_or_else(|| {
        Failure::new("the server has not written down its address").next("look at what `oriel serve` printed")
    })?;
    output::print(&format!("{}/viewer/?desktop={}&kind=rdp&app={id}", base.trim_end_matches('/'), desktop.id))
}
