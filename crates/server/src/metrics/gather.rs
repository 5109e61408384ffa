//! What is looked up when somebody asks: pools, desktops, sessions, GPUs, reconcilers.

use crate::App;
use oriel_broker::BrokerError;
use oriel_model::GuestPort;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// Adds everything to the registry. Three questions to the database, whatever there is.
pub(super) async fn gather(app: &App, registry: &mut Registry) -> Result<(), BrokerError> {
    registry.register("build", "The program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    registry.register(
        "leading",
        "1 where this program is the one of those on its database that moves desktops",
        gauge(if app.broker.leads() { 1.0 } else { 0.0 }),
    );
    traces(registry);
    pools(app, registry).await?;
    sessions(app, registry);
    gpus(app, registry).await?;
    reconcilers(app, registry);
    Ok(())
}

async fn pools(app: &App, registry: &mut Registry) -> Result<(), BrokerError> {
    let (desktops, most, wanted) = (Gauges::default(), Gauges::default(), Gauges::default());
    let pools = app.broker.pools().await?;
    let names: BTreeMap<_, _> = pools.iter().map(|pool| (pool.id, pool.name.as_str())).collect();
    for count in app.broker.desktop_counts().await? {
        // A pool that was made since the other question was asked comes with the next scrape.
        let Some(pool) = names.get(&count.pool) else { continue };
        for (number, assigned) in [(count.assigned, "true"), (count.all.saturating_sub(count.assigned), "false")] {
            let labels = vec![
                ("pool", (*pool).to_owned()),
                ("state", count.state.word().to_owned()),
                ("assigned", assigned.to_owned()),
            ];
            set(&desktops, labels, number as f64);
        }
    }
    let now = oriel_model::Micros(jiff::Timestamp::now().as_microsecond());
    for pool in &pools {
        let of = |pairs: &[(&'static str, &str)]| -> Labels {
            [("pool", pool.name.as_str())]
                .iter()
                .chain(pairs)
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect()
        };
        set(&most, of(&[]), f64::from(pool.desktops_max));
        let size = pool.size_at(now);
        set(&wanted, of(&[("kind", "running")]), f64::from(size.running_spares));
        set(&wanted, of(&[("kind", "stopped")]), f64::from(size.stopped_spares));
    }
    registry.register("desktops", "Desktops by pool and state, somebody's or nobody's", desktops);
    registry.register("pool_desktops_max", "Most desktops that the pool may hold", most);
    registry.register("pool_spares_wanted", "Spares that the pool shall keep", wanted);
    Ok(())
}

const fn word(port: GuestPort) -> &'static str {
    match port {
        GuestPort::Rdp => "rdp",
        GuestPort::Ssh => "ssh",
        GuestPort::Console => "console",
    }
}

fn sessions(app: &App, registry: &mut Registry) {
    let (sessions, mut viewers, mut guests) = (Gauges::default(), 0.0, 0.0);
    let mut through =
        BTreeMap::from([GuestPort::Rdp, GuestPort::Ssh, GuestPort::Console].map(|port| (word(port), 0.0)));
    for info in app.gateway.connections() {
        *through.entry(word(info.connection.port)).or_default() += 1.0;
        viewers += f64::from(info.connection.viewers);
        guests += info.guests.len() as f64;
    }
    for (port, number) in through {
        set(&sessions, vec![("through", port.to_owned())], number);
    }
    registry.register(
        "sessions",
        "Connections of this program to desktops and machines, by the door they went through",
        sessions,
    );
    registry.register("viewers", "Browsers that are connected to this program's sessions", gauge(viewers));
    registry.register("guests", "Guests of this program's sessions", gauge(guests));
}

async fn gpus(app: &App, registry: &mut Registry) -> Result<(), BrokerError> {
    let (held, mut claims) = (Gauges::default(), BTreeMap::<_, f64>::new());
    for claim in app.broker.gpu_claims().await? {
        let profile = claim.hold.profile.unwrap_or_default();
        *claims.entry((claim.host, claim.hold.gpu.to_string(), claim.hold.mode.word(), profile)).or_default() += 1.0;
    }
    for ((host, gpu, mode, profile), number) in claims {
        set(&held, vec![("host", host), ("gpu", gpu), ("mode", mode.to_owned()), ("profile", profile)], number);
    }
    registry.register(
        "gpu_units_held",
        "Units of GPUs that desktops hold: whole cards, slices, virtual functions",
        held,
    );
    Ok(())
}

/// Nothing where nobody wants traces.
fn traces(registry: &mut Registry) {
    if !oriel_trace::is_on() {
        return;
    }
    let spans: Family<Labels, Counter> = Family::default();
    let (sent, dropped) = oriel_trace::counts();
    for (outcome, count) in [("sent", sent), ("dropped", dropped)] {
        spans.get_or_create(&vec![("outcome", outcome.to_owned())]).inc_by(count);
    }
    registry.register("trace_spans", "Spans of traces that the collector took, or that were dropped", spans);
}

fn reconcilers(app: &App, registry: &mut Registry) {
    let (failing, last) = (Gauges::default(), Gauges::default());
    let runs: Family<Labels, Counter> = Family::default();
    let spent: Family<Labels, Counter<f64, AtomicU64>> = Family::default();
    for one in app.broker.reconcilers() {
        let labels = || vec![("reconciler", one.name.to_owned())];
        set(&failing, labels(), if one.last_error.is_some() { 1.0 } else { 0.0 });
        if let Some(at) = one.last_run {
            set(&last, labels(), at.0 as f64 / 1e6);
        }
        runs.get_or_create(&labels()).inc_by(one.runs);
        spent.get_or_create(&labels()).inc_by(one.spent.as_secs_f64());
    }
    registry.register("reconciler_failing", "1 where the last round failed", failing);
    registry.register_with_unit(
        "reconciler_last_run_timestamp",
        "When the last round ended, since 1970",
        Unit::Seconds,
        last,
    );
    registry.register("reconciler_runs", "Rounds", runs);
    registry.register_with_unit("reconciler_spent", "Time that the rounds took", Unit::Seconds, spent);
}

fn gauge(value: f64) -> Gauge<f64, AtomicU64> {
    let gauge = Gauge::default();
    gauge.set(value);
    gauge
}

fn set(family: &Gauges, labels: Labels, value: f64) {
    family.get_or_create(&labels).set(value);
}
