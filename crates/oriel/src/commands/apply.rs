//! `oriel apply`: makes true what files declare, as `oriel export` writes them.
//!
//! ```text
//! files ─▶ tree ─▶ wanted ─┐
//!                          ├─▶ plan ─▶ said, asked ─▶ done, step by step
//! server ─▶ present ───────┘
//! ```
//!
//! Everything up to the plan is without input and output, and is tested so.

mod plan;
mod read;
mod said;
mod tree;
mod wanted;
mod writer;

pub use said::Present;
pub use tree::Language;
pub use writer::write;

use super::{machine, operation};
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, say},
};
use clap::Args;
use oriel_server::api::{
    app::AppList, cloud::CloudList, external::MachineList, group::GroupList, image::ImageList, operation::Operation,
    pool::PoolList, user::UserList,
};
use plan::{Change, Does, How};
use read::Spot;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, IsTerminal as _, Read, Write as _},
    path::{Path, PathBuf},
};
use wanted::{SecretFrom, Wanted};

/// Longest file, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Most files of a folder.
const FILES_MAX: usize = 1000;
/// Most steps that are named when they were not done.
const LEFT_SAID_MAX: usize = 20;
/// Exit code of a dry run that found something to do.
const CHANGES: u8 = 2;

#[derive(Args)]
#[command(
    after_help = "Secrets stand in no file: password_file and password_env name where they are. What a file does not name stays as it \
        is, and people, groups, pools, machines and images never go.\n\
        Exit codes: 0 done or nothing to change, 1 refused (also a file that cannot be followed), 2 a dry run found something to \
        change (or wrong usage), 3 no server answers, 130 interrupted."
)]
pub struct Apply {
    /// TOML, or YAML; a folder of files that end in .toml, .yaml or .yml; - for stdin. May be given several times
    #[arg(short, long, value_name = "FILE|FOLDER|-", required = true)]
    file: Vec<PathBuf>,
    /// Only say what would be done, with exit code 2 where that is something
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Take away, too: from declared pools whom they let in and rules, from declared groups members (where the file names any) and
    /// rules, that the files do not name
    #[arg(long)]
    prune: bool,
    /// Send the named secrets of machines also where the server has one: it tells nobody whether they differ
    #[arg(long)]
    renew_secrets: bool,
    #[command(flatten)]
    json: Json,
}

impl Apply {
    pub async fn run(self, client: &Client) -> Done {
        let wanted = load(&self.file)?;
        let present = fetch(client, &Needs::of(&wanted)).await?;
        let how = How { prune: self.prune, renew_secrets: self.renew_secrets };
        let changes = plan::plan(&wanted, &present, how)?;
        let (as_json, dry_run) = (self.json.json, self.dry_run);
        if changes.is_empty() {
            return if as_json {
                output::print_json(&report(&changes, dry_run, 0, None))
            } else {
                say("nothing to change");
                Ok(())
            };
        }
        if !as_json {
            let lines: Vec<String> = changes.iter().flat_map(Change::lines).collect();
            output::print(&lines.join("\n"))?;
        }
        if dry_run {
            if as_json {
                output::print_json(&report(&changes, true, 0, None))?;
            }
            return Err(Failure::silent(CHANGES));
        }
        if !self.yes && !agreed(changes.len())? {
            return Err(Failure::new("nothing was done, as it was not agreed to"));
        }
        // What is missing here is said before anything is changed there.
        let secrets = changes.iter().map(secrets).collect::<Result<Vec<_>, _>>()?;
        let (done, failed) = perform(client, &changes, secrets).await;
        if as_json {
            output::print_json(&report(&changes, false, done, failed.as_ref()))?;
        }
        match failed {
            None => {
                say(format!("done: {done} of {done}"));
                Ok(())
            }
            Some(failure) => Err(stopped(&changes, done, failure)),
        }
    }
}

/// Step by step, up to the first that fails: how many were done, and why no more.
async fn perform(
    client: &Client,
    changes: &[Change],
    secrets: Vec<Vec<(&'static str, SecretString)>>,
) -> (usize, Option<Failure>) {
    let all = changes.len();
    for (index, (change, secrets)) in changes.iter().zip(secrets).enumerate() {
        say(format!("{} of {all}: {}", index + 1, change.title()));
        if let Err(failure) = call(client, change, secrets).await {
            return (index, Some(failure));
        }
    }
    (all, None)
}

async fn call(client: &Client, change: &Change, secrets: Vec<(&'static str, SecretString)>) -> Done {
    let (path, mut body) = (change.call.path.as_str(), change.call.body.clone());
    for (key, secret) in secrets {
        body.insert(key.to_owned(), secret.expose_secret().into());
    }
    let body = Value::Object(body);
    match change.call.does {
        Does::Post => client.tell(path, &body).await,
        Does::Patch => client.patch::<Value>(path, &body).await.map(drop),
        Does::Put => client.put(path).await,
        Does::Delete => client.delete(path).await,
        Does::Operation => {
            let operation: Operation = client.post(path, &body).await?;
            operation::finished(client, operation).await.map(drop)
        }
    }
}

/// Says what was done and what was not.
fn stopped(changes: &[Change], done: usize, failure: Failure) -> Failure {
    let left = changes.get(done..).unwrap_or_default();
    let mut names: Vec<String> = left.iter().take(LEFT_SAID_MAX).map(Change::title).collect();
    if left.len() > LEFT_SAID_MAX {
        names.push(format!("{} more", left.len() - LEFT_SAID_MAX));
    }
    say(format!("{done} of {} steps were done, and stay; not done: {}", changes.len(), names.join(", ")));
    // Whoever did not wait for a long job was told so.
    if failure.what.is_empty() {
        return failure;
    }
    let title = changes.get(done).map(Change::title).unwrap_or_default();
    let next = failure.next_step.unwrap_or_else(|| "put right what it names".to_owned());
    let next_step = Some(format!("{next}; then apply it again, which goes on from here"));
    Failure { what: format!("{title}: {}", failure.what), next_step, ..failure }
}

fn report(changes: &[Change], dry_run: bool, done: usize, failed: Option<&Failure>) -> Value {
    let all: Vec<Value> = changes
        .iter()
        .enumerate()
        .map(|(index, change)| {
            let state = match failed {
                _ if dry_run => "planned",
                _ if index < done => "done",
                Some(_) if index == done => "failed",
                _ => "not_done",
            };
            json!({
                "action": change.mark, "noun": change.noun, "name": change.name, "what": change.what,
                "fields": change.fields, "state": state,
            })
        })
        .collect();
    json!({"dry_run": dry_run, "changes": all, "error": failed.map(|failure| failure.what.as_str())})
}

/// Asks on the terminal; without one nobody can be asked.
fn agreed(steps: usize) -> Result<bool, Failure> {
    let mut input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Failure::usage("this changes the server, and there is no terminal to ask on")
            .next("add --yes to do it without asking, or --dry-run to see what it would do"));
    }
    let mut error = std::io::stderr();
    let steps = if steps == 1 { "this".to_owned() } else { format!("these {steps} steps") };
    write!(error, "Do {steps}? [y/N] ").and_then(|()| error.flush()).ok();
    let mut line = String::new();
    std::io::BufReader::new(&mut input)
        .read_line(&mut line)
        .map_err(|error| Failure::because("cannot read the answer", &error))?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn secrets(change: &Change) -> Result<Vec<(&'static str, SecretString)>, Failure> {
    let one = |(key, from): &(&'static str, SecretFrom)| -> Result<(&'static str, SecretString), Failure> {
        let secret = match from {
            SecretFrom::File(path) => machine::secret(Some(path))?.unwrap_or_default(),
            SecretFrom::Variable(name) => std::env::var(name).map_err(|_| {
                Failure::new(format!("{} takes its {key} from ${name}, which is not set", change.title()))
                    .next(format!("set {name} in the environment, or name a file with `{key}_file`"))
            })?,
        };
        Ok((*key, SecretString::from(secret)))
    };
    change.call.secrets.iter().map(one).collect()
}

/// All that the files declare.
fn load(files: &[PathBuf]) -> Result<Wanted, Failure> {
    let mut wanted = Wanted::default();
    for path in files {
        if path.as_os_str() == "-" {
            let text = bounded(std::io::stdin().lock(), "the standard input")?;
            add(&mut wanted, &text, "stdin", &absolute(Path::new("."))?, None)?;
        } else if path.is_dir() {
            for file in folder(path)? {
                add_file(&mut wanted, &file)?;
            }
        } else {
            add_file(&mut wanted, path)?;
        }
    }
    for one in wanted.pools.iter_mut().flat_map(|pool| &mut pool.machines) {
        if let Some(text) = machine::secret(one.certificate_file.as_deref())? {
            one.parameters.insert("certificate".to_owned(), text.trim().into());
        }
    }
    Ok(wanted)
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = |error: &std::io::Error| Failure::because(format!("cannot read the folder {}", path.display()), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| cannot(&error))? {
        let file = entry.map_err(|error| cannot(&error))?.path();
        let is_ours = file.file_name().and_then(|name| name.to_str()).is_some_and(|name| Language::of(name).is_some());
        if is_ours && file.is_file() {
            files.push(file);
        }
        if files.len() > FILES_MAX {
            return Err(Failure::new(format!("{} holds more than {FILES_MAX} files", path.display()))
                .next("apply several folders, one after the other"));
        }
    }
    if files.is_empty() {
        return Err(Failure::new(format!("{} holds no file that declares anything", path.display()))
            .next("files of a folder end in .toml, .yaml or .yml"));
    }
    files.sort();
    Ok(files)
}

fn add_file(wanted: &mut Wanted, path: &Path) -> Result<(), Failure> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| Failure::because(format!("cannot read {name}"), &error))?;
    let text = bounded(file, &name)?;
    let whole = absolute(path)?;
    let beside = whole.parent().unwrap_or(&whole);
    add(wanted, &text, &name, beside, Language::of(&name))
}

fn add(wanted: &mut Wanted, text: &str, name: &str, beside: &Path, language: Option<Language>) -> Result<(), Failure> {
    let node = tree::read(text, language.unwrap_or_else(|| Language::guessed(text))).map_err(|error| {
        let line = error.line.map(|line| format!(" line {line}")).unwrap_or_default();
        Failure::new(format!("{name}{line}: {}", error.what))
    })?;
    wanted.add(&Spot::file(name, &node), beside)?;
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::because(format!("cannot find {}", path.display()), &error))
}

fn bounded(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    from.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::because(format!("cannot read {name}"), &error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new(format!("{name} is longer than {FILE_BYTES_MAX} bytes"))
            .next("declare it in several files of one folder"));
    }
    Ok(text)
}

/// What is asked of the server: whoever administers one pool may not see people.
pub struct Needs {
    pub images: bool,
    pub groups: bool,
    pub pools: bool,
    pub users: bool,
    pub clouds: bool,
    pub machines: bool,
    pub apps: bool,
    pub icons: bool,
}

impl Needs {
    /// All of it.
    pub const ALL: Self = Self {
        images: true,
        groups: true,
        pools: true,
        users: true,
        clouds: true,
        machines: true,
        apps: true,
        icons: true,
    };

    fn of(wanted: &Wanted) -> Self {
        let pools = &wanted.pools;
        let machines = || pools.iter().flat_map(|pool| &pool.machines);
        Self {
            images: !wanted.images.is_empty() || pools.iter().any(|pool| pool.image.is_some()),
            groups: !wanted.groups.is_empty() || pools.iter().any(|pool| pool.groups.is_some()),
            pools: !pools.is_empty() || wanted.users.iter().any(|user| user.pools.is_some()),
            users: !wanted.users.is_empty()
                || wanted.groups.iter().any(|group| group.members.is_some())
                || pools.iter().any(|pool| pool.users.is_some())
                || machines().any(|machine| machine.owner.is_some()),
            clouds: pools.iter().any(|pool| pool.cloud.is_some()),
            machines: machines().next().is_some(),
            apps: pools.iter().any(|pool| !pool.apps.is_empty()),
            // What they are known again by is with the apps.
            icons: false,
        }
    }
}

/// What the server has of that.
pub async fn fetch(client: &Client, needs: &Needs) -> Result<Present, Failure> {
    let mut present = Present::default();
    if needs.images {
        present.images = client.get::<ImageList>("/images").await?.images;
    }
    if needs.groups {
        present.groups = client.get::<GroupList>("/groups").await?.groups;
    }
    if needs.users {
        present.users = client.get::<UserList>("/users").await?.users;
    }
    if needs.clouds {
        present.clouds = client.get::<CloudList>("/clouds").await?.clouds;
    }
    if needs.pools || needs.machines {
        present.pools = client.get::<PoolList>("/pools").await?.pools;
    }
    if needs.machines {
        for pool in present.pools.iter().filter(|pool| pool.is_external()) {
            let path = format!("/pools/{}/machines", segment(&pool.id));
            present.machines.extend(client.get::<MachineList>(&path).await?.machines);
        }
    }
    if needs.apps {
        for pool in &present.pools {
            let path = format!("/pools/{}/apps", segment(&pool.id));
            present.apps.extend(client.get::<AppList>(&path).await?.apps);
        }
    }
    if needs.icons {
        for app in present.apps.iter().filter(|app| app.icon.is_some()) {
            let path = format!("/pools/{}/apps/{}/icon", segment(&app.pool.id), segment(&app.id));
            present.icons.insert(app.id.clone(), client.get_bytes(&path).await?.to_vec());
        }
    }
    Ok(present)
}
