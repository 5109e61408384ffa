//! `oriel pool rollout` and `oriel pool rollback`: from one version of a pool's image to another.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::Done,
    output::{self, Rows, age, say},
};
use clap::{Args, Subcommand, ValueEnum};
use oriel_model::Share;
use oriel_server::api::rollout::{Replace, RollbackNew, Rollout, RolloutNew};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum Command {
    /// Bring a pool's desktops to another version of its image: a few first, then the rest
    Start {
        /// Id or name
        pool: String,
        /// Version of the pool's image; the newest when left out
        #[arg(long, value_name = "NUMBER")]
        version: Option<u32>,
        /// How many desktops come first: a count, or a part such as 10% (when left out); 0 for all at once
        #[arg(long, value_name = "SHARE")]
        canary: Option<Share>,
        /// For how long those are watched when they have come up: 30m (when left out), 2h, 1d, or 0
        #[arg(long, value_name = "SPAN", value_parser = oriel_model::watch_minutes)]
        watch: Option<u32>,
        /// Begin at that time: 2026-12-01T22:00:00Z, or with an offset such as +01:00
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Stop when more than so many do not come up: 0 (when left out), a count, or a part such as 5%
        #[arg(long, value_name = "SHARE")]
        stop_after: Option<Share>,
        #[command(flatten)]
        how: How,
        #[command(flatten)]
        json: Json,
    },
    /// Show a pool's last roll-out, and how far it is
    Show {
        /// Id or name
        pool: String,
        #[command(flatten)]
        json: Json,
    },
    /// Replace nothing more until it is resumed
    Pause {
        /// Id or name
        pool: String,
    },
    /// Go on with one that is paused
    Resume {
        /// Id or name
        pool: String,
    },
    /// End it: new desktops are of the version of before again
    Cancel {
        /// Id or name
        pool: String,
    },
    /// Forget one that has ended: the pool cannot go back by it, and the version of before may be deleted
    Forget {
        /// Id or name
        pool: String,
    },
}

#[derive(Args)]
pub struct How {
    /// When a desktop that somebody has is replaced: when they have left it for good, or at once
    #[arg(long, value_enum, value_name = "WHEN")]
    replace: Option<When>,
    /// The same as --replace now: connections end, and people are told why
    #[arg(long, conflicts_with = "replace")]
    now: bool,
    /// Also desktops whose disks are somebody's for good: what is on them is lost. They stay as they are otherwise
    #[arg(long)]
    wipe_dedicated: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    OnLogOff,
    Now,
}

impl How {
    fn replace(&self) -> Option<Replace> {
        if self.now {
            return Some(Replace::Now);
        }
        self.replace.map(|when| match when {
            When::OnLogOff => Replace::OnLogOff,
            When::Now => Replace::Now,
        })
    }
}

/// `rollout`, and what stands below it.
fn path(pool: &str, below: &str) -> String {
    format!("/pools/{}/rollout{below}", segment(pool))
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::Start { pool, version, canary, watch, at, stop_after, how, json } => {
                let new = RolloutNew {
                    version,
                    canary: canary.map(|share| share.to_string()),
                    watch_minutes: watch,
                    replace: how.replace(),
                    not_before: at,
                    stop_after: stop_after.map(|share| share.to_string()),
                    wipe_dedicated: how.wipe_dedicated,
                };
                let begun: Value = client.post(&path(&pool, ""), &new).await?;
                told(&pool, begun, json.json)
            }
            Self::Show { pool, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&pool, "")).await?)
            }
            Self::Show { pool, .. } => show(&client.get(&path(&pool, "")).await?),
            Self::Pause { pool } => change(client, &pool, "/pause").await,
            Self::Resume { pool } => change(client, &pool, "/resume").await,
            Self::Cancel { pool } => change(client, &pool, "/cancel").await,
            Self::Forget { pool } => {
                client.delete(&path(&pool, "")).await?;
                say(format!("forgot the last roll-out of {pool}: the version of before may be deleted"));
                Ok(())
            }
        }
    }
}

/// `oriel pool rollback`.
pub async fn roll_back(client: &Client, pool: &str, how: &How, json: bool) -> Done {
    let new = RollbackNew { replace: how.replace(), wipe_dedicated: how.wipe_dedicated };
    let begun: Value = client.post(&format!("/pools/{}/rollback", segment(pool)), &new).await?;
    told(pool, begun, json)
}

async fn change(client: &Client, pool: &str, how: &str) -> Done {
    let rollout: Rollout = client.post(&path(pool, how), &json!({})).await?;
    say(format!("{pool}: {}", rollout.step));
    Ok(())
}

/// What has just begun, in a few words or whole.
fn told(pool: &str, begun: Value, json: bool) -> Done {
    if json {
        return output::print_json(&begun);
    }
    let Ok(rollout) = serde_json::from_value::<Rollout>(begun) else { return Ok(()) };
    let way = format!("{} from version {} to {}", rollout.to.name, rollout.from.version, rollout.to.version);
    say(format!("{pool} goes with {way}: {}", rollout.step));
    if rollout.count.kept > 0 {
        say(format!(
            "{} of its desktops are somebody's for good and stay as they are; --wipe-dedicated brings them along, and what is on them is lost",
            rollout.count.kept
        ));
    }
    say(format!("watch it with `oriel pool rollout show {pool}`"));
    Ok(())
}

fn show(rollout: &Rollout) -> Done {
    let mut rows = Rows::without_headings();
    let mut row = |name: &str, value: String| rows.row([name.to_owned(), value]);
    let what = if rollout.is_rollback { "back to" } else { "to" };
    row(what, format!("{}:{}", rollout.to.name, rollout.to.version));
    row("from", format!("{}:{}", rollout.from.name, rollout.from.version));
    row("state", if rollout.is_paused && rollout.is_open { "paused".to_owned() } else { output::word(&rollout.state) });
    row("now", rollout.step.clone());
    row("progress", format!("{:.0} %", rollout.progress * 100.0));
    let count = &rollout.count;
    row(
        "desktops",
        format!(
            "{} new, {} on their way, {} failed, {} old, {} waiting until they are free, {} left as they are",
            count.new, count.on_their_way, count.failed, count.old, count.waiting, count.kept
        ),
    );
    if !rollout.is_rollback {
        row("first", format!("{}, watched for {} min", rollout.canary, rollout.watch_minutes));
        row("stops", format!("when more than {} do not come up", rollout.stop_after));
    }
    row("replaces", output::word(&rollout.replace));
    if let Some(at) = &rollout.not_before {
        row("not before", at.clone());
    }
    for (place, failure) in rollout.failures.iter().enumerate() {
        row(if place == 0 { "failures" } else { "" }, format!("{}: {}", failure.desktop.name, failure.reason));
    }
    row("begun", age(&rollout.created_at));
    rows.print()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use clap::{Parser, error::ErrorKind};

    #[derive(Parser)]
    struct Rollouts {
        #[command(subcommand)]
        command: Command,
    }

    #[test]
    fn shares_and_spans_are_read_and_wrong_ones_refused() {
        let read = |rest: &[&str]| Rollouts::try_parse_from([&["rollout", "start", "floor"], rest].concat());
        let Command::Start { canary, watch, how, .. } =
            read(&["--canary", "10%", "--watch", "2h", "--now"]).unwrap().command
        else {
            unreachable!("that is start")
        };
        assert_eq!((canary, watch, how.replace()), (Some(Share::Percent(10)), Some(120), Some(Replace::Now)));
        let refused = |rest: &[&str]| read(rest).err().unwrap().kind();
        assert_eq!(refused(&["--canary", "many"]), ErrorKind::ValueValidation);
        assert_eq!(refused(&["--watch", "long"]), ErrorKind::ValueValidation);
        assert_eq!(refused(&["--now", "--replace", "on-log-off"]), ErrorKind::ArgumentConflict);
    }
}
