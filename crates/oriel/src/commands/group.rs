//! `oriel group`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, or_dash, say, word},
};
use clap::{Subcommand, ValueEnum};
use oriel_server::api::{
    Named,
    group::{Group, GroupChange, GroupList, GroupPolicy},
    second_factor::SecondFactorRule,
};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum Command {
    /// List groups
    List(Json),
    /// Make a group
    Create {
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        about: Option<String>,
        /// What is otherwise for its members than their pools say, as words with commas between:
        /// `clipboard=both|to_machine|to_person|off` (or `paste=on|off`, `copy=on|off`), `clipboard_kib=64`,
        /// `files=both|upload|download|off` (or `upload=on|off`, `download=on|off`), `sound=on|off`, `printing=on|off`,
        /// `microphone=on|off`, `view_only=on|off`,
        /// `sharing=off|view|control`, `share_guests=on|off`, `shadowing=off|ask|tell`, `watermark=on|off`, `recording_keys=on|off`,
        /// `recording_clipboard=on|off`, `idle_lock=MINUTES`,
        /// `session=MINUTES` (0 for never); `none` leaves all to pools. Of several groups the strictest wins
        #[arg(long, value_name = "RULES", value_parser = parse_policy)]
        policy: Option<GroupPolicy>,
        /// What its members show beside their passwords: what they like, one that each must set up, or that without
        /// remembering browsers. Of several groups the strictest holds, from the next sign-in on
        #[arg(long, value_enum)]
        second_factor: Option<SecondFactor>,
    },
    /// Change a group
    Set {
        /// Id or name
        group: String,
        /// Another name
        #[arg(long)]
        name: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        about: Option<String>,
        /// What is otherwise for its members than their pools say, as `oriel group create --help` says; `none` for nothing
        #[arg(long, value_name = "RULES", value_parser = parse_policy)]
        policy: Option<GroupPolicy>,
        /// What its members show beside their passwords, as `oriel group create --help` says
        #[arg(long, value_enum)]
        second_factor: Option<SecondFactor>,
    },
    /// Delete a group; its members stay
    Delete {
        /// Id or name
        group: String,
    },
    /// Put people into a group
    Add {
        /// Id or name
        group: String,
        /// Ids or names
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// Take people out of a group
    Remove {
        /// Id or name
        group: String,
        /// Ids or names
        #[arg(required = true)]
        users: Vec<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum SecondFactor {
    /// Whoever has set one up is asked for it
    Optional,
    /// Whoever has none sets one up at the next sign-in
    Required,
    /// As required, and no browser is remembered
    EveryTime,
}

impl From<SecondFactor> for SecondFactorRule {
    fn from(rule: SecondFactor) -> Self {
        match rule {
            SecondFactor::Optional => Self::Optional,
            SecondFactor::Required => Self::Required,
            SecondFactor::EveryTime => Self::EveryTime,
        }
    }
}

fn parse_policy(text: &str) -> Result<GroupPolicy, String> {
    text.parse::<oriel_model::GroupPolicy>().map(Into::into)
}

fn names(of: &[Named]) -> String {
    or_dash(Some(&of.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")))
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |group: &str| format!("/groups/{}", segment(group));
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/groups").await?),
            Self::List(_) => {
                let list: GroupList = client.get("/groups").await?;
                let mut rows = Rows::new(
                    ["name", "members", "pools", "policy", "second factor", "about", "made"],
                    "there are no groups yet: make one with `oriel group create NAME`",
                );
                for group in list.groups {
                    rows.row([
                        group.name,
                        names(&group.members),
                        names(&group.pools),
                        oriel_model::GroupPolicy::from(group.policy).to_string(),
                        word(&group.second_factor),
                        or_dash(Some(&group.about)),
                        age(&group.created_at),
                    ]);
                }
                rows.print()
            }
            Self::Create { name, about, policy, second_factor } => {
                let rule = second_factor.map(SecondFactorRule::from);
                let body = json!({"name": name, "about": about, "policy": policy, "second_factor": rule});
                let group: Group = client.post("/groups", &body).await?;
                say(format!("made group {}; put people into it with `oriel group add`", group.name));
                output::print(&group.id)
            }
            Self::Set { group, name, about, policy, second_factor } => {
                if name.is_none() && about.is_none() && policy.is_none() && second_factor.is_none() {
                    return Err(
                        Failure::usage("nothing to change").next("give --name, --about, --policy or --second-factor")
                    );
                }
                let change = GroupChange { name, about, policy, second_factor: second_factor.map(Into::into) };
                let group: Group = client.patch(&path(&group), &change).await?;
                say(format!(
                    "changed group {}; connections under looser rules end now, others follow from the next one on",
                    group.name
                ));
                Ok(())
            }
            Self::Delete { group } => {
                client.delete(&path(&group)).await?;
                say(format!("deleted group {group}"));
                Ok(())
            }
            Self::Add { group, users } => {
                for user in users {
                    client.put(&format!("{}/members/{}", path(&group), segment(&user))).await?;
                    say(format!("{user} is in {group}"));
                }
                Ok(())
            }
            Self::Remove { group, users } => {
                for user in users {
                    client.delete(&format!("{}/members/{}", path(&group), segment(&user))).await?;
                    say(format!("{user} is no longer in {group}"));
                }
                Ok(())
            }
        }
    }
}
