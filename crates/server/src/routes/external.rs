//! Machines that Oriel does not run.

use crate::{
    Answer, App,
    api::{
        external::{Machine, MachineChange, MachineIdentity, MachineList, MachineNew},
        problem::Problem,
    },
    caller::Caller,
    extract::Body,
    names::Names,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::{MachineChange as MachineEdit, MachineSecrets, NewMachine};
use oriel_gateway::terminal::{Key, TerminalError, telnet::LoginPatterns};
use oriel_model::{self as model, Permission};
use secrecy::SecretString;

async fn answer(app: &App, machine: &model::Desktop) -> Answer<Json<Machine>> {
    let names = Names::read(app).await?;
    names.machine(app, machine).map(Json).ok_or_else(|| Problem::not_found("machine"))
}

/// What only those who use it can read: a key that is entered now, and patterns.
fn check(
    parameters: &model::MachineParameters,
    private_key: Option<&SecretString>,
    passphrase: Option<&SecretString>,
) -> Answer<()> {
    let bad = |error: TerminalError| {
        let next = "docs/external-machines.md lists every parameter and what it takes";
        Problem::new(StatusCode::BAD_REQUEST, "bad_machine", error.to_string(), next)
    };
    if let Some(private) = private_key {
        let certificate = parameters.certificate.clone();
        Key { private: private.clone(), passphrase: passphrase.cloned(), certificate }.check().map_err(bad)?;
    }
    let usual = LoginPatterns::default();
    let patterns = LoginPatterns {
        user: parameters.user_prompt.clone().unwrap_or(usual.user),
        password: parameters.password_prompt.clone().unwrap_or(usual.password),
        success: parameters.success_pattern.clone(),
        failure: parameters.failure_pattern.clone(),
    };
    patterns.check().map_err(bad)
}

/// Whoever makes a machine the way to another, or a device what is in front of it, uses what is kept for it: only where they administer
/// it, too.
async fn check_way(app: &App, caller: &Caller, parameters: &model::MachineParameters) -> Answer<()> {
    for way in parameters.jump.iter().chain(&parameters.behind) {
        // The way goes by names: what looks like an id is another machine there than here.
        if way.parse::<model::DesktopId>().is_ok() && !caller.may(Permission::MachinesWrite) {
            return Err(Problem::not_found("machine"));
        }
        // One that is not there is the broker's to refuse.
        if let Ok(machine) = app.broker.find_machine(way).await
            && !caller.may_in(Permission::MachinesWrite, machine.pool)
        {
            return Err(Problem::not_found("machine"));
        }
    }
    Ok(())
}

/// The machines of a pool.
#[utoipa::path(get, path = "/pools/{id}/machines", tag = "machines", operation_id = "list_machines", params(("id" = String, Path)), responses((status = 200, body = MachineList)))]
pub async fn list(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<MachineList>> {
    let pool = app.broker.find_pool(&id).await?;
    let names = Names::read(&app).await?;
    let machines = app.broker.machines(&pool).await?;
    Ok(Json(MachineList { machines: machines.iter().filter_map(|machine| names.machine(&app, machine)).collect() }))
}

/// A new machine in a pool of external machines.
#[utoipa::path(post, path = "/pools/{id}/machines", tag = "machines", operation_id = "create_machine", params(("id" = String, Path)), request_body = MachineNew, responses((status = 201, body = Machine)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(new): Body<MachineNew>,
) -> Answer<(StatusCode, Json<Machine>)> {
    let pool = app.broker.find_pool(&id).await?;
    let owner = match &new.owner {
        Some(key) => Some(app.broker.find_user(key).await?),
        None => None,
    };
    let protocol = model::MachineProtocol::from(new.protocol);
    let secrets = MachineSecrets {
        password: new.password.map(Into::into),
        private_key: new.private_key.map(Into::into),
        passphrase: new.passphrase.map(Into::into),
        totp: new.totp_secret.map(Into::into),
        gateway_password: new.gateway_password.map(Into::into),
    };
    let parameters = new.parameters.unwrap_or_default().into();
    check_way(&app, &caller, &parameters).await?;
    check(&parameters, secrets.private_key.as_ref(), secrets.passphrase.as_ref())?;
    let machine = NewMachine {
        pool,
        name: super::image::name(&new.name)?,
        owner,
        external: model::External {
            protocol,
            host: new.host,
            port: new.port.unwrap_or(protocol.port()),
            user: new.user,
            parameters,
            identity: new.identity,
            has_password: false,
            has_private_key: false,
            has_totp: false,
            has_gateway_password: false,
        },
        secrets,
    };
    let machine = app.broker.create_machine(machine).await?;
    Ok((StatusCode::CREATED, answer(&app, &machine).await?))
}

/// One machine.
#[utoipa::path(get, path = "/machines/{id}", tag = "machines", operation_id = "show_machine", params(("id" = String, Path)), responses((status = 200, body = Machine)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Machine>> {
    answer(&app, &app.broker.find_machine(&id).await?).await
}

/// Change a machine. What is open to it is ended.
#[utoipa::path(patch, path = "/machines/{id}", tag = "machines", operation_id = "change_machine", params(("id" = String, Path)), request_body = MachineChange, responses((status = 200, body = Machine)))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(change): Body<MachineChange>,
) -> Answer<Json<Machine>> {
    // An empty text takes away.
    let text = |text: Option<String>| text.map(|text| (!text.is_empty()).then_some(text));
    let secret = |given: Option<String>| text(given).map(|given| given.map(SecretString::from));
    let machine = app.broker.find_machine(&id).await?;
    let parameters: Option<model::MachineParameters> = change.parameters.map(Into::into);
    if let Some(parameters) = &parameters {
        check_way(&app, &caller, parameters).await?;
    }
    let (private_key, passphrase) = (secret(change.private_key), secret(change.passphrase));
    {
        let before = machine.external.as_ref().map(|external| external.parameters.clone());
        let after = parameters.clone().or(before).unwrap_or_default();
        check(&after, private_key.as_ref().and_then(Option::as_ref), passphrase.as_ref().and_then(Option::as_ref))?;
    }
    let edit = MachineEdit {
        host: change.host,
        port: change.port,
        user: text(change.user),
        parameters,
        identity: text(change.identity),
        password: secret(change.password),
        private_key,
        passphrase,
        totp: secret(change.totp_secret),
        gateway_password: secret(change.gateway_password),
    };
    answer(&app, &app.broker.change_machine(machine.id, edit).await?).await
}

/// Forget a machine. The machine itself stays as it is.
#[utoipa::path(delete, path = "/machines/{id}", tag = "machines", operation_id = "delete_machine", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let machine = app.broker.find_machine(&id).await?;
    app.broker.delete_machine(&machine).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who the machine must be, and who it says it is right now: it is dialled and asked. To accept what it shows, change the
/// machine's `identity` to it.
#[utoipa::path(get, path = "/machines/{id}/identity", tag = "machines", operation_id = "machine_identity", params(("id" = String, Path)), responses((status = 200, body = MachineIdentity)))]
pub async fn identity(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<MachineIdentity>> {
    // A port of a Switch shows the certificate of its device.
    let (machine, _) = app.broker.front_of(&app.broker.find_machine(&id).await?).await?;
    let external = machine.external.as_ref().ok_or_else(|| Problem::not_found("machine"))?;
    let shown = match external.protocol.door() {
        _ if !external.protocol.has_identity() => None,
        // Nothing is read from it but its certificate.
        None => Some(app.broker.device_identity(&machine).await?),
        Some(door) => app.gateway.identify(machine.id, door).await.map_err(|error| {
            Problem::new(
                StatusCode::BAD_GATEWAY,
                "machine_failed",
                error.text,
                "check the machine's protocol and port, and that its service runs",
            )
        })?,
    };
    let pinned = external.identity.clone();
    Ok(Json(MachineIdentity { same: pinned == shown, pinned, shown }))
}
