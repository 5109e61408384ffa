//! `oriel operation`, and watching a long job.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, FAILED, Failure, INTERRUPTED},
    output::{self, Rows, age, or_dash, say, word},
};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oriel_server::api::operation::{Operation, OperationList, OperationState};
use serde_json::{Value, json};
use std::{io::IsTerminal, time::Duration};

/// How often a watched operation is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Longest error in a list, in characters.
const CELL_CHARS_MAX: usize = 70;
/// Steps of the bar.
const BAR_STEPS: u64 = 1000;

#[derive(Subcommand)]
pub enum Command {
    /// List long jobs, newest first
    List(Json),
    /// Show one with its log
    Show {
        /// Id
        operation: String,
        #[command(flatten)]
        json: Json,
    },
    /// Cancel one; what it had begun is cleaned up
    Cancel {
        /// Id
        operation: String,
    },
    /// Go on with one that failed or was cancelled
    Resume {
        /// Id
        operation: String,
        #[command(flatten)]
        watch: Watch,
    },
    /// Watch one until it ends
    Watch {
        /// Id
        operation: String,
    },
}

#[derive(Args)]
pub struct Watch {
    /// Do not wait: print the operation's id and leave it running
    #[arg(long)]
    detach: bool,
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |operation: &str| format!("/operations/{}", segment(operation));
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/operations").await?),
            Self::List(_) => {
                let list: OperationList = client.get("/operations").await?;
                let mut rows =
                    Rows::new(["id", "what", "state", "done", "step", "by", "began"], "there are no operations yet")
                        .right(&[3]);
                for operation in list.operations {
                    rows.row([
                        operation.id,
                        operation.title,
                        word(&operation.state),
                        format!("{:.0} %", operation.progress * 100.0),
                        // What went wrong says more than that something did.
                        operation.error.as_deref().map_or(operation.step, short),
                        or_dash(operation.by.as_ref().map(|by| by.name.as_str())),
                        age(&operation.created_at),
                    ]);
                }
                rows.print()
            }
            Self::Show { operation, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&operation)).await?)
            }
            Self::Show { operation, .. } => {
                let operation: Operation = client.get(&path(&operation)).await?;
                for line in &operation.log {
                    output::print(line)?;
                }
                if operation.state == OperationState::Failed {
                    let error = operation.error.unwrap_or_else(|| "failed".to_owned());
                    return Err(Failure::new(format!("{}: {error}", operation.title))
                        .next(format!("put right what it names, then: oriel operation resume {}", operation.id)));
                }
                say(format!(
                    "{}: {}, {:.0} %, {}",
                    operation.title,
                    word(&operation.state),
                    operation.progress * 100.0,
                    operation.step
                ));
                Ok(())
            }
            Self::Cancel { operation } => {
                let operation: Operation = client.post(&format!("{}/cancel", path(&operation)), &json!({})).await?;
                if matches!(operation.state, OperationState::Done | OperationState::Failed) {
                    say(format!("{} had ended already: {}", operation.title, word(&operation.state)));
                    return Ok(());
                }
                say(format!(
                    "{} is asked to stop; go on later with: oriel operation resume {}",
                    operation.title, operation.id
                ));
                Ok(())
            }
            Self::Resume { operation, watch } => {
                let operation: Operation = client.post(&format!("{}/resume", path(&operation)), &json!({})).await?;
                watch.follow(client, operation).await
            }
            Self::Watch { operation } => {
                let operation: Operation = client.get(&path(&operation)).await?;
                Watch { detach: false }.follow(client, operation).await
            }
        }
    }
}

impl Watch {
    /// Shows an operation's progress until it ends, and prints what it made. Ctrl-C leaves it running.
    pub async fn follow(&self, client: &Client, operation: Operation) -> Done {
        if self.detach {
            say(format!("{} goes on: oriel operation watch {}", operation.title, operation.id));
            return output::print(&operation.id);
        }
        let outcome = finished(client, operation).await?;
        say(format!("{}: done", outcome.title));
        outcome.result.map_or(Ok(()), |result| output::print(&result))
    }
}

/// Shows an operation's progress until it is done. Ctrl-C leaves it running. Errors: it failed or was cancelled, or nobody waits any more.
pub async fn finished(client: &Client, operation: Operation) -> Result<Operation, Failure> {
    let id = operation.id.clone();
    let title = operation.title.clone();
    let mut shown = Progress::new(&title);
    let outcome = tokio::select! {
        outcome = until_over(client, operation, &mut shown) => outcome?,
        _ = tokio::signal::ctrl_c() => {
            shown.end();
            say(format!("{title} goes on without you"));
            say(format!("  look again:  oriel operation watch {id}\n  stop it:     oriel operation cancel {id}"));
            return Err(Failure::silent(INTERRUPTED));
        }
    };
    shown.end();
    match outcome.state {
        OperationState::Done => Ok(outcome),
        OperationState::Cancelled => {
            Err(Failure::new(format!("{title}: cancelled")).next(format!("oriel operation resume {id}")).code(FAILED))
        }
        _ => Err(Failure::new(format!("{title}: {}", outcome.error.unwrap_or_else(|| "failed".to_owned()))).next(
            format!(
                "put right what it names, then: oriel operation resume {id}   (its log: oriel operation show {id})"
            ),
        )),
    }
}

/// The beginning of a text, for a cell.
fn short(text: &str) -> String {
    if text.chars().count() <= CELL_CHARS_MAX {
        return text.to_owned();
    }
    let start: String = text.chars().take(CELL_CHARS_MAX - 1).collect();
    format!("{}…", start.trim_end())
}

async fn until_over(client: &Client, mut operation: Operation, shown: &mut Progress) -> Result<Operation, Failure> {
    let path = format!("/operations/{}", segment(&operation.id));
    loop {
        shown.look(&operation);
        if operation.state.is_over() {
            return Ok(operation);
        }
        tokio::time::sleep(LOOK_EVERY).await;
        operation = client.get(&path).await?;
    }
}

/// A bar on a terminal, a line per step elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    fn new(title: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(BAR_STEPS), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{prefix}  {bar:30} {percent:>3} %  {elapsed}  {wide_msg}")
            {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar.set_prefix(title.to_owned());
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self { bar, last: String::new() }
    }

    fn look(&mut self, operation: &Operation) {
        match &self.bar {
            Some(bar) => {
                bar.set_position((operation.progress.clamp(0.0, 1.0) * BAR_STEPS as f64) as u64);
                bar.set_message(operation.step.clone());
            }
            // How it failed is said by the failure.
            None if operation.step != self.last && operation.error.is_none() => {
                say(format!("{}: {:.0} %, {}", operation.title, operation.progress * 100.0, operation.step));
                self.last.clone_from(&operation.step);
            }
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
