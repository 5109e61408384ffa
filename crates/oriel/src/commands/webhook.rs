//! `oriel webhook`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::Done,
    output::{self, Rows, age, or_dash, say},
};
use clap::Subcommand;
use oriel_server::api::webhook::{WebhookList, WebhookMade};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum Command {
    /// List webhooks, how far each is, and why its last message was not taken
    List(Json),
    /// Tell an address of what is done from now on; prints the secret that messages are signed with, this once
    Add {
        /// https://HOST/PATH; what is not public must be in `external.allow` of the configuration
        url: String,
        /// What it is told of, with commas between: operations as the audit names them, or beginnings: `change_pool,delete_*`;
        /// everything when left out
        #[arg(long, value_name = "OPERATIONS", value_delimiter = ',')]
        events: Vec<String>,
    },
    /// Send a message without anything in it, and say whether it was taken
    Test {
        /// Id
        webhook: String,
    },
    /// Tell an address no more
    Remove {
        /// Id
        webhook: String,
    },
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |webhook: &str| format!("/webhooks/{}", segment(webhook));
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/webhooks").await?),
            Self::List(_) => {
                let list: WebhookList = client.get("/webhooks").await?;
                let mut rows = Rows::new(
                    ["id", "address", "told of", "behind", "lost", "in vain", "because", "made"],
                    "there are no webhooks: tell an address of what is done with `oriel webhook add URL`",
                )
                .right(&[3, 4, 5]);
                for webhook in list.webhooks {
                    let events = webhook.subscription.events.join(", ");
                    rows.row([
                        webhook.id,
                        webhook.url,
                        if events.is_empty() { "everything".to_owned() } else { events },
                        webhook.subscription.behind.to_string(),
                        webhook.subscription.lost.to_string(),
                        webhook.subscription.failures.to_string(),
                        or_dash(webhook.subscription.last_error.as_deref()),
                        age(&webhook.created_at),
                    ]);
                }
                rows.print()
            }
            Self::Add { url, events } => {
                let events = (!events.is_empty()).then_some(events);
                let made: WebhookMade = client.post("/webhooks", &json!({"url": url, "events": events})).await?;
                say(format!(
                    "made webhook {}; its messages are signed with this secret, shown only here:",
                    made.webhook.id
                ));
                output::print(&made.secret)
            }
            Self::Test { webhook } => {
                client.press(&format!("{}/test", path(&webhook))).await?;
                say("the message was taken");
                Ok(())
            }
            Self::Remove { webhook } => {
                client.delete(&path(&webhook)).await?;
                say(format!("removed webhook {webhook}"));
                Ok(())
            }
        }
    }
}
