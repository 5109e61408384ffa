//! `oriel quota`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::Done,
    output::{self, Rows, say, word},
};
use clap::{Args, Subcommand};
use oriel_model::{Cap, QuotaKind, QuotaLimits};
use oriel_server::api::quota::{Quota, QuotaList, QuotaOf, QuotaSet, QuotaStanding};
use serde_json::Value;

#[derive(Subcommand)]
pub enum Command {
    /// List quotas: everyone's, groups', people's, pools'
    List(Json),
    /// Say how much may be held at the same time, as a whole
    ///
    /// A person's own quota counts over those of their groups, of several groups the most generous, and everyone's where no group of
    /// theirs names the same. What people have stays theirs when a quota becomes smaller: the next is refused.
    Set {
        #[command(flatten)]
        scope: Scope,
        /// Words with commas between: `desktops=2`, of those `running=1` at a time, with `cpus=8`, `memory=16G` and `gpus=1` together
        /// (desktops on clouds take none of these), `sessions=2` open, `disk_gib=50` of personal disks; for a pool `per_person=1`. `unlimited` lifts what wider quotas
        /// limit: `gpus=unlimited`. Bookings, which nobody may make otherwise, also for a pool: `bookings=2` at a time, of at most
        /// `booking_hours=8` (8 if not said), beginning at most `booking_days=14` ahead (30); with `booking_priority=5` they take the
        /// place of lower ones (0), and from `booking_notice=48` hours before they begin on nobody takes theirs (24)
        #[arg(value_name = "LIMITS", value_parser = parse_limits)]
        limits: QuotaLimits,
    },
    /// Limit nothing: what wider quotas say counts again
    Clear {
        #[command(flatten)]
        scope: Scope,
    },
    /// Show what a person holds, and what limits it; without a name, what you hold yourself
    Show {
        /// Id or name
        person: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}

/// Whose quota.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Scope {
    /// Of everyone, for whom nothing narrower says otherwise
    #[arg(long)]
    everyone: bool,
    /// Of each member of a group: id or name
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Of one person: id or name
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Of each person in a pool: id or name
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
}

impl Scope {
    /// Nouns and key of what it is of; none for everyone.
    fn narrower(&self) -> Option<(&'static str, &str)> {
        let given = [("groups", &self.group), ("users", &self.user), ("pools", &self.pool)];
        given.into_iter().filter(|_| !self.everyone).find_map(|(nouns, key)| Some((nouns, key.as_deref()?)))
    }

    fn path(&self) -> String {
        match self.narrower() {
            Some((nouns, key)) => format!("/{nouns}/{}/quota", segment(key)),
            None => "/quotas/everyone".to_owned(),
        }
    }

    /// For people.
    fn name(&self) -> String {
        match self.narrower() {
            Some(("groups", key)) => format!("group {key}"),
            Some(("pools", key)) => format!("pool {key}"),
            Some((_, key)) => key.to_owned(),
            None => "everyone".to_owned(),
        }
    }
}

fn parse_limits(text: &str) -> Result<QuotaLimits, String> {
    text.parse()
}

fn in_words(quota: &Quota) -> String {
    let set = QuotaSet { limits: quota.limits.clone() };
    set.limits().unwrap_or_default().to_string()
}

/// So much of it, as it is written: `2`, `16G`.
fn amount(kind: QuotaKind, count: u64) -> String {
    let limits = QuotaLimits([(kind, Cap::Most(count))].into()).to_string();
    limits.split_once('=').map_or_else(String::new, |(_, amount)| amount.to_owned())
}

fn most(kind: QuotaKind, most: Option<u64>) -> String {
    most.map_or_else(|| "unlimited".to_owned(), |most| amount(kind, most))
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/quotas").await?),
            Self::List(_) => {
                let list: QuotaList = client.get("/quotas").await?;
                let mut rows = Rows::new(
                    ["of", "name", "limits"],
                    "nothing is limited yet: `oriel quota set --everyone desktops=2` would be a beginning",
                );
                for quota in list.quotas {
                    let limits = in_words(&quota);
                    let name = quota.named.map_or_else(|| "-".to_owned(), |named| named.name);
                    rows.row([word(&quota.of), name, limits]);
                }
                rows.print()
            }
            Self::Set { scope, limits } => {
                let quota: Quota = client.put_json(&scope.path(), &QuotaSet::from(&limits)).await?;
                say(format!(
                    "{}: {}; what people have stays theirs, the next is refused",
                    scope.name(),
                    in_words(&quota)
                ));
                Ok(())
            }
            Self::Clear { scope } => {
                client.delete(&scope.path()).await?;
                say(format!("nothing is limited for {} by a quota of its own", scope.name()));
                Ok(())
            }
            Self::Show { person, json } => {
                let path = person
                    .map_or_else(|| "/me/quota".to_owned(), |person| format!("/users/{}/quota", segment(&person)));
                if json.json {
                    return output::print_json(&client.get::<Value>(&path).await?);
                }
                let of: QuotaStanding = client.get(&path).await?;
                let mut rows = Rows::new(["what", "held", "most", "says"], "").right(&[1, 2]);
                for used in of.uses {
                    let says = match (used.by, used.group) {
                        (None, _) => "-".to_owned(),
                        (Some(QuotaOf::User), _) => "their own".to_owned(),
                        (Some(QuotaOf::Group), Some(group)) => format!("group {}", group.name),
                        (Some(by), _) => word(&by),
                    };
                    let kind = used.kind.into();
                    rows.row([word(&used.kind), amount(kind, used.held), most(kind, used.most), says]);
                }
                for used in of.pools {
                    let kind = QuotaKind::PerPerson;
                    let what = format!("desktops of {}", used.pool.name);
                    rows.row([what, amount(kind, used.held), most(kind, used.most), "the pool".to_owned()]);
                }
                rows.print()
            }
        }
    }
}
