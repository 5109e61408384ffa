//! One pool, in words.

use super::{
    pool::{free, open_to, place_of, wanted},
    pool_hours::{leaving_in_words, now_in_words},
};
use crate::{
    failure::Done,
    output::{Rows, age, word},
};
use oriel_model as model;
use oriel_server::api::pool::Pool;

pub fn show(pool: &Pool) -> Done {
    let mut rows = Rows::without_headings();
    let mut row = |name: &str, value: String| rows.row([name.to_owned(), value]);
    row("name", pool.name.clone());
    row("id", pool.id.clone());
    row("kind", word(&pool.kind));
    if let Some(image) = &pool.image {
        row("image", format!("{}:{}", image.name, image.version));
        if let Some(rollout) = &pool.rollout {
            row("roll-out", rollout.step.clone());
        }
        row("desktop", format!("{} CPUs, {} MiB memory, {} GiB disk", pool.vcpus, pool.memory_mib, pool.disk_gib));
        if let Some(gpu) = pool.gpu.clone().and_then(|gpu| gpu.into_model().ok()?) {
            row("gpu", gpu.to_string());
        }
        row("hardware", model::Hardware::from(pool.hardware.clone()).to_string());
        row("network", place_of(pool));
        if let Some(disk) = pool.personal_disk.clone().and_then(|disk| disk.into_model().ok()?) {
            row("personal disk", disk.to_string());
        }
    }
    row("keyboard", pool.keyboard.clone());
    row("desktops", format!("{} of {}, {} in use", pool.desktops, pool.desktops_max, pool.count.used));
    row("free", free(&pool.count, &wanted(pool)));
    row("size", model::PoolSize::from(pool.size.clone()).to_string());
    if let Ok(hours) = pool.hours.clone().into_model()
        && !hours.peaks.is_empty()
    {
        row("off peak", hours.off_peak.to_string());
        for (place, peak) in hours.peaks.iter().enumerate() {
            row(if place == 0 { "peaks" } else { "" }, peak.to_string());
        }
        row("ahead", format!("spares are begun {} min before a peak", hours.start_ahead_minutes));
        if !pool.hours.holidays.is_empty() {
            row("holidays", pool.hours.holidays.join(", "));
        }
    }
    row("now", now_in_words(&pool.now, &pool.hours));
    for (place, line) in leaving_in_words(pool).into_iter().enumerate() {
        row(if place == 0 { "leaving" } else { "" }, line);
    }
    row("recording", word(&pool.recording));
    row("policy", model::SessionPolicy::from(pool.policy.clone()).to_string());
    if let Some(maintenance) = &pool.maintenance {
        let reason = if maintenance.reason.is_empty() { "nobody new gets in" } else { &maintenance.reason };
        row("maintenance", format!("{reason} (since {})", age(&maintenance.since)));
    }
    row("open to", open_to(pool));
    row("made", age(&pool.created_at));
    rows.print()
}
