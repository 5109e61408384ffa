//! `oriel host`: the host of Oriel's own desktops, and clouds, as what is maintained.

use super::operation::finished;
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, or_dash, say, word},
};
use clap::Subcommand;
use oriel_model::MAINTENANCE_SECONDS_MAX;
use oriel_server::api::{
    maintenance::{CloudHostEmpty, Fate, HostDrain, HostStanding, HostStandingList, Maintenance},
    operation::Operation,
};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum Command {
    /// List the host and the clouds that desktops stand on, and whether they take more
    List(Json),
    /// Show what runs on a host, who is inside, and until when
    Show {
        /// Its name, or cloud:NAME
        host: String,
        #[command(flatten)]
        json: Json,
    },
    /// Maintain a host: it gets no new desktop, nothing starts there, what runs for nobody is switched off, and who is inside is told
    Drain {
        /// Its name, cloud:NAME, or cloud:NAME/HOST for one of a cloud's own hosts, which is emptied
        host: String,
        /// Until when whoever is inside should have left: 30m, 2h, 1d from now
        #[arg(long, value_name = "SPAN", value_parser = seconds)]
        deadline: Option<i64>,
        /// Shut down what still runs at the deadline
        #[arg(long, requires = "deadline")]
        force: bool,
        /// Where one of a cloud's own hosts is down, make what it had anew elsewhere, without what lay on its own disk
        #[arg(long, conflicts_with_all = ["deadline", "force"])]
        evacuate: bool,
        /// What people are told, in one line
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// End a host's maintenance: it takes desktops again
    Resume {
        /// Its name, cloud:NAME, or cloud:NAME/HOST
        host: String,
    },
}

/// Seconds as people write them. The error is a sentence.
fn seconds(text: &str) -> Result<i64, String> {
    let (number, each) = match text.strip_suffix(['m', 'h', 'd']) {
        Some(number) if text.ends_with('d') => (number, 86_400),
        Some(number) if text.ends_with('h') => (number, 3_600),
        Some(number) => (number, 60),
        None => (text, 60),
    };
    let seconds = number.parse::<i64>().ok().and_then(|number| number.checked_mul(each));
    seconds.filter(|seconds| (1..=MAINTENANCE_SECONDS_MAX).contains(seconds)).ok_or_else(|| {
        let shown: String = text.chars().take(20).collect();
        format!(
            "{shown:?} is no time until a deadline: use 30m, 2h or 1d, at most {}d",
            MAINTENANCE_SECONDS_MAX / 86_400
        )
    })
}

fn path(host: &str, below: &str) -> String {
    format!("/hosts/{}{below}", segment(host))
}

/// Where one of a cloud's own hosts is emptied, and opened again; `None` for everything else.
fn node(host: &str) -> Option<String> {
    let (cloud, host) = host.strip_prefix("cloud:")?.split_once('/')?;
    Some(format!("/clouds/{}/hosts/{}/empty", segment(cloud), segment(host)))
}

async fn finish(client: &Client, operation: Operation, json: bool) -> Done {
    if json {
        return output::print_json(&json!(operation));
    }
    let done = finished(client, operation).await?;
    say(done.step);
    Ok(())
}

fn state(maintenance: Option<&Maintenance>) -> String {
    match maintenance {
        None => "open".to_owned(),
        Some(Maintenance { deadline: Some(deadline), force: true, .. }) => format!("drained, forced at {deadline}"),
        Some(Maintenance { deadline: Some(deadline), .. }) => format!("drained, until {deadline}"),
        Some(_) => "drained".to_owned(),
    }
}

/// What becomes of a desktop on a host that is drained.
fn fate(host: &HostStanding, fate: Fate) -> String {
    let Some(maintenance) = &host.maintenance else { return "-".to_owned() };
    match (fate, &maintenance.deadline) {
        (Fate::StaysOff, _) => "stays off".to_owned(),
        (Fate::SwitchedOff, _) => "is switched off".to_owned(),
        (Fate::Waits, Some(deadline)) if maintenance.force => format!("is shut down at {deadline}"),
        (Fate::Waits, _) => "waits until its person leaves or shuts it down".to_owned(),
    }
}

fn show(host: &HostStanding) -> Done {
    let count = &host.count;
    let mut rows = Rows::without_headings();
    let mut property = |name: &str, value: String| rows.row([name.to_owned(), value]);
    property("name", host.name.clone());
    property("state", state(host.maintenance.as_ref()));
    if let Some(maintenance) = &host.maintenance {
        property("reason", or_dash(Some(&maintenance.reason)));
        property("since", age(&maintenance.since));
    }
    property("desktops", count.desktops.to_string());
    property("running", format!("{} (somebody is inside {})", count.running, count.used));
    rows.print()?;
    let mut rows = Rows::new(["desktop", "pool", "state", "inside", "what becomes of it"], "nothing runs there");
    for one in &host.running {
        let inside = match (one.used, one.inside.is_empty()) {
            (true, true) => "somebody".to_owned(),
            (true, false) => one.inside.join(", "),
            (false, _) => or_dash(None),
        };
        let (name, pool) = (one.desktop.name.clone(), one.pool.clone());
        rows.row([name, pool, word(&one.state), inside, fate(host, one.fate)]);
    }
    rows.print()
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List(Json { json }) => {
                let list: HostStandingList = client.get("/hosts").await?;
                if json {
                    return output::print_json(&json!(list));
                }
                let mut rows =
                    Rows::new(["name", "state", "desktops", "running", "inside"], "there is no host").right(&[2, 3, 4]);
                for host in list.hosts {
                    let (state, count) = (state(host.maintenance.as_ref()), host.count);
                    let numbers = [count.desktops, count.running, count.used].map(|number| number.to_string());
                    let [desktops, running, used] = numbers;
                    rows.row([host.name, state, desktops, running, used]);
                }
                rows.print()
            }
            Self::Show { host, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&host, "")).await?)
            }
            Self::Show { host, .. } => show(&client.get(&path(&host, "")).await?),
            Self::Drain { host, deadline, force, evacuate, reason, json: Json { json } } => {
                if let Some(node) = node(&host) {
                    if deadline.is_some() {
                        return Err(Failure::usage("nobody is shut down when one of a cloud's hosts is emptied")
                            .next("leave --deadline out: what runs is moved while it runs"));
                    }
                    let wish = CloudHostEmpty { reason, evacuate };
                    return finish(client, client.post(&node, &wish).await?, json).await;
                }
                if evacuate {
                    return Err(Failure::usage(format!("nothing is moved off {host}: its desktops' disks are there"))
                        .next("leave --evacuate out, or name one of a cloud's own hosts: cloud:NAME/HOST"));
                }
                let wish = HostDrain { reason, deadline_seconds: deadline, force };
                let drained: Value = client.put_json(&path(&host, "/maintenance"), &wish).await?;
                if json {
                    return output::print_json(&drained);
                }
                say(format!(
                    "{host} takes nothing new from now on; `oriel host show {host}` says how far it is, `oriel host resume {host}` ends it"
                ));
                show(&client.get(&path(&host, "")).await?)
            }
            Self::Resume { host } => {
                if let Some(node) = node(&host) {
                    client.delete(&node).await?;
                    say(format!("{host} takes new servers again"));
                    return Ok(());
                }
                let open: HostStanding = client.delete_for(&path(&host, "/maintenance")).await?;
                say(format!("{} takes desktops again", open.name));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clouds_own_hosts_are_named_below_it() {
        assert_eq!(node("cloud:oak/compute-1").as_deref(), Some("/clouds/oak/hosts/compute-1/empty"));
        assert_eq!([node("studio"), node("cloud:oak"), node("oak/compute-1")], [None, None, None]);
    }

    #[test]
    fn deadlines_are_spans() {
        assert_eq!(["30m", "2h", "1d", "5"].map(seconds), [1_800, 7_200, 86_400, 300].map(Ok));
        for bad in ["", "0", "-1h", "31d", "2w", "h", "9223372036854775807d", "\u{e9}"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
