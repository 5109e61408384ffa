//! `oriel syslog`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, or_dash, say},
};
use clap::Subcommand;
use oriel_server::api::syslog::{Syslog, SyslogList, SyslogNew};
use serde_json::Value;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Command {
    /// List receivers, how far each is, and why its last messages were not taken
    List(Json),
    /// Send what is done from now on to a receiver, a message of RFC 5424 for each row of the audit
    Add {
        /// tls://HOST[:6514], tcp://HOST[:601] (counted octets), udp://HOST[:514], or local for the server's /dev/log; what is not
        /// public must be in `external.allow` of the configuration
        target: String,
        /// What messages are filed under [default: authpriv]
        #[arg(long)]
        facility: Option<String>,
        /// The program's name in messages [default: oriel]
        #[arg(long, value_name = "NAME")]
        app_name: Option<String>,
        /// Your organisation's number at IANA: structured data is named oriel@NUMBER [default: 32473, which is for examples]
        #[arg(long, value_name = "NUMBER")]
        enterprise: Option<u32>,
        /// PEM of whom a receiver's certificate must be signed by [default: whom the server's machine trusts]
        #[arg(long, value_name = "FILE")]
        ca_file: Option<PathBuf>,
        /// What it is told of, with commas between: operations as the audit names them, or beginnings: `change_pool,delete_*`;
        /// everything when left out
        #[arg(long, value_name = "OPERATIONS", value_delimiter = ',')]
        events: Vec<String>,
    },
    /// Send a message that tells of nothing, and say whether it was taken, as far as its transport says so
    Test {
        /// Id or target
        syslog: String,
    },
    /// Send to a receiver no more
    Remove {
        /// Id or target
        syslog: String,
    },
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |syslog: &str| format!("/syslogs/{}", segment(syslog));
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/syslogs").await?),
            Self::List(_) => {
                let list: SyslogList = client.get("/syslogs").await?;
                let mut rows = Rows::new(
                    ["id", "target", "filed under", "told of", "behind", "lost", "in vain", "because", "made"],
                    "there are no receivers of syslog: send what is done to one with `oriel syslog add TARGET`",
                )
                .right(&[4, 5, 6]);
                for syslog in list.syslogs {
                    let events = syslog.subscription.events.join(", ");
                    rows.row([
                        syslog.id,
                        syslog.target,
                        format!("{}, {}", syslog.facility, syslog.app_name),
                        if events.is_empty() { "everything".to_owned() } else { events },
                        syslog.subscription.behind.to_string(),
                        syslog.subscription.lost.to_string(),
                        syslog.subscription.failures.to_string(),
                        or_dash(syslog.subscription.last_error.as_deref()),
                        age(&syslog.created_at),
                    ]);
                }
                rows.print()
            }
            Self::Add { target, facility, app_name, enterprise, ca_file, events } => {
                let ca = ca_file
                    .map(|file| {
                        std::fs::read_to_string(&file)
                            .map_err(|error| Failure::because(format!("cannot read {}", file.display()), &error))
                    })
                    .transpose()?;
                let events = (!events.is_empty()).then_some(events);
                let new = SyslogNew { target, facility, app_name, enterprise, ca, events };
                let made: Syslog = client.post("/syslogs", &new).await?;
                say(format!(
                    "what is done is sent to {}; see whether it comes there with `oriel syslog test`",
                    made.target
                ));
                output::print(&made.id)
            }
            Self::Test { syslog } => {
                client.press(&format!("{}/test", path(&syslog))).await?;
                say("the message was taken, as far as can be known");
                Ok(())
            }
            Self::Remove { syslog } => {
                client.delete(&path(&syslog)).await?;
                say(format!("removed receiver {syslog}"));
                Ok(())
            }
        }
    }
}
