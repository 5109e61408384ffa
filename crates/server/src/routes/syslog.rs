//! Receivers of syslog, which are told of what is done.

use crate::{
    Answer, App,
    api::{
        problem::Problem,
        syslog::{Syslog, SyslogList, SyslogNew},
    },
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::NewSyslog;
use oriel_model::{SYSLOG_ENTERPRISE, SyslogFacility};

/// All receivers of syslog, and how far each is.
#[utoipa::path(get, path = "/syslogs", tag = "audit", operation_id = "list_syslogs", responses((status = 200, body = SyslogList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<SyslogList>> {
    let (all, head) = app.broker.syslogs().await?;
    Ok(Json(SyslogList { syslogs: all.into_iter().map(|syslog| Syslog::new(syslog, head)).collect() }))
}

/// A new receiver: from now on what is done is sent to it, a message of RFC 5424 for each row of the audit.
#[utoipa::path(post, path = "/syslogs", tag = "audit", operation_id = "create_syslog", request_body = SyslogNew, responses((status = 201, body = Syslog)))]
pub async fn create(State(app): State<App>, Body(new): Body<SyslogNew>) -> Answer<(StatusCode, Json<Syslog>)> {
    let facility = match new.facility {
        Some(word) => word
            .parse::<SyslogFacility>()
            .map_err(|text| Problem::bad_request(text, "leave the facility out for authpriv"))?,
        None => SyslogFacility::AUTHPRIV,
    };
    let new = NewSyslog {
        target: new.target,
        facility,
        app_name: new.app_name.unwrap_or_else(|| "oriel".to_owned()),
        enterprise: new.enterprise.unwrap_or(SYSLOG_ENTERPRISE),
        ca: new.ca,
        events: new.events.unwrap_or_default(),
    };
    let syslog = app.broker.create_syslog(new).await?;
    let head = syslog.subscription.delivered;
    Ok((StatusCode::CREATED, Json(Syslog::new(syslog, head))))
}

/// Remove a receiver: what it was not told yet it is told no more.
#[utoipa::path(delete, path = "/syslogs/{id}", tag = "audit", operation_id = "delete_syslog", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let syslog = app.broker.find_syslog(&id).await?;
    app.broker.delete_syslog(syslog.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a receiver a message that tells of nothing, and see whether it is taken, as far as its transport says so.
#[utoipa::path(post, path = "/syslogs/{id}/test", tag = "audit", operation_id = "test_syslog", params(("id" = String, Path)), responses((status = 204)))]
pub async fn test(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let syslog = app.broker.find_syslog(&id).await?;
    app.broker.test_syslog(&syslog).await?;
    Ok(StatusCode::NO_CONTENT)
}
