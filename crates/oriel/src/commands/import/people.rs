//! People of another program, made here once.

use super::report::{PersonLine, Report, State};
use crate::{client::Client, failure::Failure};
use oriel_model::import::Left;
use oriel_server::api::user::{UserList, UserMade};
use serde_json::json;
use std::collections::BTreeSet;

/// Answers who is there afterwards, of those who were wanted.
pub(super) async fn make_people(
    client: &Client,
    dry_run: bool,
    wanted: Vec<String>,
    report: &mut Report,
    left: &mut Vec<Left>,
) -> Result<BTreeSet<String>, Failure> {
    let there: UserList = client.get("/users").await?;
    // Names are compared without case.
    let there: BTreeSet<String> = there.users.into_iter().map(|user| user.name.to_lowercase()).collect();
    let mut people = BTreeSet::new();
    for name in wanted {
        let (state, one_time_password) = if there.contains(&name.to_lowercase()) {
            (State::There, None)
        } else if dry_run {
            (State::Planned, None)
        } else {
            let made = client.post::<UserMade>("/users", &json!({"name": name, "role": "user"})).await;
            match made {
                Ok(made) => (State::Made, made.one_time_password),
                Err(failure) if failure.is_refusal() => {
                    left.push(Left::new(format!("person {name:?}"), reason(&failure)));
                    continue;
                }
                Err(failure) => return Err(failure),
            }
        };
        people.insert(name.clone());
        report.people.push(PersonLine { name, state, one_time_password });
    }
    Ok(people)
}

/// Why the server would not, and what to do, in one line.
pub(super) fn reason(failure: &Failure) -> String {
    match &failure.next_step {
        Some(next) => format!("{}; {next}", failure.what),
        None => failure.what.clone(),
    }
}
