//! Who did what.

use crate::{
    Answer, App,
    api::{
        audit::{AuditCheck, AuditEntry, AuditList},
        problem::Problem,
    },
    extract::Query,
};
use axum::{Json, extract::State};
use oriel_model::{AuditQuery, Micros};
use serde::Deserialize;

/// Rows of an answer, unless asked otherwise.
const PAGE: u64 = 100;

/// Which rows.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditWanted {
    /// A person's name, compared without case.
    #[serde(default)]
    pub actor: Option<String>,
    /// An operation's id: `change_pool`.
    #[serde(default)]
    pub action: Option<String>,
    /// A part of the path: `pools/studio`.
    #[serde(default)]
    pub target: Option<String>,
    /// `true`: only what was refused or failed; `false`: only what was done.
    #[serde(default)]
    pub refused: Option<bool>,
    /// RFC 3339, from then on.
    #[serde(default)]
    pub from: Option<String>,
    /// RFC 3339, before then.
    #[serde(default)]
    pub until: Option<String>,
    /// Older than this row.
    #[serde(default)]
    pub before: Option<u64>,
    /// At most so many, 1 to 500; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
}

fn time(text: Option<&str>) -> Answer<Option<Micros>> {
    let Some(text) = text else { return Ok(None) };
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| Problem::bad_request(format!("{text:?} is no time"), "write it like 2026-11-28T09:30:00Z"))?;
    Ok(Some(Micros(at.as_microsecond())))
}

/// What was asked of the API, the newest first: every change, every sign-in and refusal, opened viewers, played recordings and
/// downloaded files.
#[utoipa::path(get, path = "/audit", tag = "audit", operation_id = "list_audit", params(AuditWanted), responses((status = 200, body = AuditList)))]
pub async fn list(State(app): State<App>, Query(wanted): Query<AuditWanted>) -> Answer<Json<AuditList>> {
    let query = AuditQuery {
        actor: wanted.actor,
        action: wanted.action,
        target: wanted.target,
        refused: wanted.refused,
        from: time(wanted.from.as_deref())?,
        until: time(wanted.until.as_deref())?,
        before: wanted.before,
    };
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, oriel_broker::AUDIT_PAGE_MAX);
    let entries: Vec<AuditEntry> =
        app.broker.audit_entries(&query, limit).await?.into_iter().map(AuditEntry::from).collect();
    let next = (entries.len() as u64 == limit).then(|| entries.last().map(|last| last.seq)).flatten();
    Ok(Json(AuditList { entries, next }))
}

/// What is to be checked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditKnown {
    /// `SEQ:HASH` of a row that somebody kept: it must still be there.
    #[serde(default)]
    pub head: Option<String>,
}

/// Follows all rows from the first to the last: whether one was changed, exchanged or taken away.
#[utoipa::path(get, path = "/audit/check", tag = "audit", operation_id = "check_audit", params(AuditKnown), responses((status = 200, body = AuditCheck)))]
pub async fn check(State(app): State<App>, Query(known): Query<AuditKnown>) -> Answer<Json<AuditCheck>> {
    let known = match &known.head {
        None => None,
        Some(text) => {
            let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_owned())));
            Some(parts.ok_or_else(|| {
                Problem::bad_request(
                    format!("{text:?} is no row's number and hash"),
                    "write it as an earlier check did: SEQ:HASH",
                )
            })?)
        }
    };
    Ok(Json(app.broker.verify_audit(known).await?.into()))
}
