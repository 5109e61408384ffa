//! Bookings: desktops that are kept for people for a span of time.

use crate::{
    Answer, App,
    api::{
        Named,
        booking::{BookablePool, BookedHour, BookedHours, Booking, BookingList, BookingNew, OwnBookings},
        problem::Problem,
    },
    caller::Caller,
    extract::{Body, Query},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::{BrokerError, NewBooking};
use oriel_model::{self as model, BookingBy, BookingFilter, Micros, Permission, Span};
use serde::Deserialize;
use std::collections::HashMap;

/// Which bookings.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BookingsWanted {
    /// Of a pool: id or name.
    #[serde(default)]
    pub pool: Option<String>,
    /// Of a person: id or name.
    #[serde(default)]
    pub user: Option<String>,
    /// `next` of an answer: what comes behind it.
    #[serde(default)]
    pub cursor: Option<String>,
    /// How many at once, at most 500; 100 when nothing is said.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// Which hours.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HoursWanted {
    /// RFC 3339; now when left out.
    #[serde(default)]
    pub from: Option<String>,
    /// RFC 3339; a day later when left out, and at most 31.
    #[serde(default)]
    pub to: Option<String>,
}

fn time(text: &str) -> Answer<Micros> {
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| Problem::bad_request(format!("{text:?} is no time"), "write it like 2026-11-30T14:00:00Z"))?;
    Ok(Micros(at.as_microsecond()))
}

fn shown(booking: &model::Booking, pool: &str, person: &str) -> Booking {
    Booking {
        id: booking.id.to_string(),
        pool: Named::new(booking.pool, pool),
        person: Named::new(booking.user, person),
        from: booking.span.from.rfc3339(),
        to: booking.span.to.rfc3339(),
        priority: booking.priority,
        firm_from: booking.firm_from.rfc3339(),
        displaced: booking.displaced.map(Micros::rfc3339),
    }
}

/// Those of which pool and person are still there.
async fn all_shown(app: &App, bookings: &[model::Booking]) -> Answer<Vec<Booking>> {
    let (pools, users) = tokio::try_join!(app.broker.pools(), app.broker.users())?;
    let pools: HashMap<_, _> = pools.into_iter().map(|pool| (pool.id, pool.name.to_string())).collect();
    let users: HashMap<_, _> = users.into_iter().map(|user| (user.id, user.name)).collect();
    let known = |one: &model::Booking| Some(shown(one, pools.get(&one.pool)?, users.get(&one.user)?));
    Ok(bookings.iter().filter_map(known).collect())
}

/// Bookings that are not over, page by page: one's own, and those of pools that one may see. Those whose place another one took stand
/// until they would have been over.
#[utoipa::path(get, path = "/bookings", tag = "bookings", operation_id = "list_bookings", params(BookingsWanted), responses((status = 200, body = BookingList)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<BookingsWanted>,
) -> Answer<Json<BookingList>> {
    let mut filter = BookingFilter::default();
    // Who may not know of a pool or a person learns nothing of them: nothing of theirs is booked.
    let empty = || Ok(Json(BookingList { bookings: Vec::new(), next: None }));
    let is_theirs =
        |key: &str| key == caller.user.id.to_string() || key.to_lowercase() == caller.user.name.to_lowercase();
    if let Some(key) = &wanted.user {
        filter.user = if is_theirs(key) {
            Some(caller.user.id)
        } else if caller.grants.may_somewhere(Permission::PoolsRead) {
            Some(app.broker.find_user(key).await?.id)
        } else {
            return empty();
        };
    }
    if let Some(key) = &wanted.pool {
        filter.pool = match app.broker.find_pool(key).await {
            Ok(found) => Some(found.id),
            Err(BrokerError::Missing { .. }) if !caller.may(Permission::PoolsRead) => return empty(),
            Err(error) => return Err(error.into()),
        };
    }
    if !caller.may(Permission::PoolsRead) {
        let pools = caller.grants.pools.iter().copied();
        let pools = pools.filter(|pool| caller.may_in(Permission::PoolsRead, *pool)).collect();
        filter.seen_by = Some((caller.user.id, pools));
    }
    let after = wanted.cursor.filter(|cursor| !cursor.is_empty()).map(|cursor| cursor.parse()).transpose();
    let after =
        after.map_err(|error: String| Problem::bad_request(error, "ask for the first page without a cursor"))?;
    let (found, next) = app.broker.list_bookings(&filter, after, wanted.limit).await?;
    Ok(Json(BookingList { bookings: all_shown(&app, &found).await?, next: next.map(|next| next.to_string()) }))
}

/// One's own bookings that are not over, and the pools of which one may book desktops.
#[utoipa::path(get, path = "/me/bookings", tag = "bookings", operation_id = "list_own_bookings", responses((status = 200, body = OwnBookings)))]
pub async fn own(State(app): State<App>, caller: Caller) -> Answer<Json<OwnBookings>> {
    let user = caller.person()?;
    let (bookings, pools) =
        tokio::try_join!(app.broker.bookings(None, Some(user.id)), app.broker.bookable_by(user.id))?;
    let pools = pools.into_iter().map(|(pool, rules)| BookablePool {
        pool: Named::new(pool.id, pool.name.as_str()),
        most: rules.at_a_time.into(),
        hours: rules.hours,
        days: rules.days,
        priority: rules.weight.priority,
    });
    Ok(Json(OwnBookings { bookings: all_shown(&app, &bookings).await?, pools: pools.collect() }))
}

/// Book a desktop of a pool for a span of time, for oneself as rules say, or as an administrator of the pool for anybody who may use it.
/// Of people who ask for the last one at once, one gets it. Where none is left, it takes the place of bookings of a lower priority that begin
/// later than their notice; their people are told.
#[utoipa::path(post, path = "/pools/{id}/bookings", tag = "bookings", operation_id = "create_booking", params(("id" = String, Path)), request_body = BookingNew, responses((status = 201, body = Booking)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(new): Body<BookingNew>,
) -> Answer<(StatusCode, Json<Booking>)> {
    let pool = app.broker.find_pool(&id).await?;
    let administers = caller.may_in(Permission::DesktopsWrite, pool.id);
    let user = match &new.person {
        None => caller.person()?.clone(),
        Some(_) if !administers => return Err(Problem::forbidden()),
        Some(key) => app.broker.find_user(key).await?,
    };
    let by = match new.priority {
        Some(_) if !administers => return Err(Problem::forbidden()),
        priority if administers => BookingBy::Administrator { priority },
        _ => BookingBy::Rules,
    };
    let span = Span { from: time(&new.from)?, to: time(&new.to)? };
    let (name, person) = (pool.name.to_string(), user.name.clone());
    let booked = app.broker.book(NewBooking { pool, user, span, by }).await?;
    Ok((StatusCode::CREATED, Json(shown(&booked.booking, &name, &person))))
}

/// How many desktops of a pool are booked, hour by hour.
#[utoipa::path(get, path = "/pools/{id}/bookings", tag = "bookings", operation_id = "show_booked_hours", params(("id" = String, Path), HoursWanted), responses((status = 200, body = BookedHours)))]
pub async fn hours(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(wanted): Query<HoursWanted>,
) -> Answer<Json<BookedHours>> {
    let pool = app.broker.find_pool(&id).await?;
    let from = wanted.from.as_deref().map(time).transpose()?;
    let from = from.unwrap_or_else(|| Micros(jiff::Timestamp::now().as_microsecond()));
    let to = wanted.to.as_deref().map(time).transpose()?.unwrap_or_else(|| from.plus_seconds(24 * 3600));
    let hours = app.broker.booked_hours(pool.id, Span { from, to }).await?;
    let hours = hours.into_iter().map(|hour| BookedHour {
        from: hour.span.from.rfc3339(),
        to: hour.span.to.rfc3339(),
        booked: hour.booked,
    });
    Ok(Json(BookedHours { desktops: pool.desktops_max.into(), hours: hours.collect() }))
}

/// Cancel a booking: one's own, or as an administrator of its pool anybody's. Whoever is in a desktop stays. For everybody else it does not
/// exist (404).
#[utoipa::path(delete, path = "/bookings/{id}", tag = "bookings", operation_id = "cancel_booking", params(("id" = String, Path)), responses((status = 204)))]
pub async fn cancel(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<StatusCode> {
    let booking = app.broker.find_booking(&id).await?;
    if booking.user != caller.user.id && !caller.may_in(Permission::DesktopsWrite, booking.pool) {
        return Err(Problem::not_found("booking"));
    }
    app.broker.cancel_booking(&booking).await?;
    Ok(StatusCode::NO_CONTENT)
}
