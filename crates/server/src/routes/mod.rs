//! The API's endpoints, one file per noun. Who may call what is said in [`crate::access`] and enforced before a handler runs.

pub mod app;
pub mod audit;
pub mod booking;
pub mod cloud;
pub mod connect;
pub mod dashboard;
pub mod desktop;
pub mod desktop_work;
pub mod device;
pub mod device_media;
pub mod directory;
pub mod download;
pub mod drive;
pub mod export;
pub mod external;
pub mod file;
pub mod gpu;
pub mod gpu_turn;
pub mod group;
pub mod guest;
pub mod host;
pub mod image;
pub mod invite;
pub mod maintenance;
pub mod me;
pub mod operation;
pub mod passkey;
pub mod personal_disk;
pub mod pool;
pub mod provider;
pub mod quota;
pub mod recording;
pub mod rollout;
pub mod second_factor;
pub mod secrets;
pub mod service;
pub mod session;
pub mod sign_in;
pub mod syslog;
pub mod token;
pub mod upload;
pub mod user;
pub mod webhook;

use crate::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// All endpoints, below `/api/v1`.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(me::login))
        .routes(routes!(me::logout))
        .routes(routes!(me::me))
        .routes(routes!(me::password))
        .routes(routes!(me::unlock))
        .routes(routes!(second_factor::mine, second_factor::prove))
        .routes(routes!(second_factor::begin))
        .routes(routes!(second_factor::confirm))
        .routes(routes!(second_factor::remove))
        .routes(routes!(second_factor::recovery_codes))
        .routes(routes!(second_factor::forget))
        .routes(routes!(second_factor::of_user, second_factor::reset))
        .routes(routes!(passkey::begin_factor))
        .routes(routes!(passkey::show_factor))
        .routes(routes!(passkey::begin))
        .routes(routes!(passkey::add))
        .routes(routes!(passkey::remove))
        .routes(routes!(passkey::begin_sign_in))
        .routes(routes!(passkey::finish_sign_in))
        .routes(routes!(user::list, user::create))
        .routes(routes!(user::change, user::delete))
        .routes(routes!(group::list, group::create))
        .routes(routes!(group::show, group::change, group::delete))
        .routes(routes!(group::join, group::leave))
        .routes(routes!(group::allow, group::deny))
        .routes(routes!(quota::list))
        .routes(routes!(quota::set_everyone, quota::clear_everyone))
        .routes(routes!(quota::set_group, quota::clear_group))
        .routes(routes!(quota::show_user, quota::set_user, quota::clear_user))
        .routes(routes!(quota::set_pool, quota::clear_pool))
        .routes(routes!(quota::own))
        .routes(routes!(booking::list))
        .routes(routes!(booking::cancel))
        .routes(routes!(booking::own))
        .routes(routes!(booking::create, booking::hours))
        .routes(routes!(personal_disk::list))
        .routes(routes!(personal_disk::show, personal_disk::grow, personal_disk::delete))
        .routes(routes!(personal_disk::keep))
        .routes(routes!(personal_disk::restore))
        .routes(routes!(personal_disk::drop_snapshot))
        .routes(routes!(personal_disk::export, personal_disk::content, personal_disk::delete_export))
        .routes(routes!(directory::list, directory::create))
        .routes(routes!(directory::show, directory::change, directory::delete))
        .routes(routes!(directory::test))
        .routes(routes!(provider::list, provider::create))
        .routes(routes!(provider::show, provider::change, provider::delete))
        .routes(routes!(provider::test))
        .routes(routes!(sign_in::providers))
        .routes(routes!(sign_in::begin))
        .routes(routes!(sign_in::finish))
        .routes(routes!(sign_in::by_proxy))
        .routes(routes!(token::list, token::create))
        .routes(routes!(token::delete))
        .routes(routes!(image::list))
        .routes(routes!(image::recipes))
        .routes(routes!(image::build))
        .routes(routes!(image::import))
        .routes(routes!(image::capture))
        .routes(routes!(image::delete))
        .routes(routes!(pool::list, pool::create))
        .routes(routes!(pool::show, pool::change, pool::delete))
        .routes(routes!(pool::allow, pool::deny))
        .routes(routes!(rollout::show, rollout::start, rollout::forget))
        .routes(routes!(rollout::pause))
        .routes(routes!(rollout::resume))
        .routes(routes!(rollout::cancel))
        .routes(routes!(rollout::back))
        .routes(routes!(maintenance::close_pool, maintenance::open_pool))
        .routes(routes!(pool::own))
        .routes(routes!(pool::take))
        .routes(routes!(app::own))
        .routes(routes!(app::own_icon))
        .routes(routes!(app::icon))
        .routes(routes!(app::list, app::create))
        .routes(routes!(app::change, app::delete))
        .routes(routes!(app::places))
        .routes(routes!(app::drain, app::undrain))
        .routes(routes!(external::list, external::create))
        .routes(routes!(external::show, external::change, external::delete))
        .routes(routes!(external::identity))
        .routes(routes!(device::show))
        .routes(routes!(device::power))
        .routes(routes!(device::boot))
        .routes(routes!(device::switch))
        .routes(routes!(device::drive))
        .routes(routes!(device::delete_image))
        .routes(routes!(device::picture))
        .routes(routes!(device::live))
        .routes(routes!(device::log))
        .routes(routes!(device::list))
        .routes(routes!(device_media::uploaded, device_media::upload, device_media::stop))
        .routes(routes!(device_media::fetch))
        .routes(routes!(desktop::list, desktop::create))
        .routes(routes!(desktop::show, desktop::delete))
        .routes(routes!(desktop::start))
        .routes(routes!(desktop::stop))
        .routes(routes!(desktop::cut))
        .routes(routes!(desktop::restart))
        .routes(routes!(desktop::recycle))
        .routes(routes!(desktop_work::show))
        .routes(routes!(desktop_work::resize))
        .routes(routes!(desktop_work::confirm))
        .routes(routes!(desktop_work::revert))
        .routes(routes!(desktop_work::migrate))
        .routes(routes!(desktop_work::keep))
        .routes(routes!(desktop_work::restore))
        .routes(routes!(desktop_work::drop_snapshot))
        .routes(routes!(desktop::connect))
        .routes(routes!(desktop::thumbnail))
        .routes(routes!(drive::show, drive::change))
        .routes(routes!(drive::upload, drive::delete_image))
        .routes(routes!(drive::start, drive::start_usual))
        .routes(routes!(file::list, file::delete))
        .routes(routes!(file::entry))
        .routes(routes!(file::rename))
        .routes(routes!(file::folder))
        .routes(routes!(download::download))
        .routes(routes!(upload::uploaded, upload::upload, upload::abandon))
        .routes(routes!(operation::list))
        .routes(routes!(operation::show))
        .routes(routes!(operation::cancel))
        .routes(routes!(operation::resume))
        .routes(routes!(session::list))
        .routes(routes!(session::show, session::end))
        .routes(routes!(session::message))
        .routes(routes!(invite::list, invite::create))
        .routes(routes!(invite::revoke))
        .routes(routes!(invite::accept))
        .routes(routes!(invite::shadow))
        .routes(routes!(guest::knock))
        .routes(routes!(guest::viewer))
        .routes(routes!(recording::list))
        .routes(routes!(recording::show, recording::delete))
        .routes(routes!(recording::index))
        .routes(routes!(recording::content))
        .routes(routes!(audit::list))
        .routes(routes!(audit::check))
        .routes(routes!(syslog::list, syslog::create))
        .routes(routes!(syslog::delete))
        .routes(routes!(syslog::test))
        .routes(routes!(webhook::list, webhook::create))
        .routes(routes!(webhook::delete))
        .routes(routes!(webhook::test))
        .routes(routes!(export::list, export::create))
        .routes(routes!(export::delete))
        .routes(routes!(export::content))
        .routes(routes!(gpu::list))
        .routes(routes!(gpu::show))
        .routes(routes!(gpu::findings))
        .routes(routes!(gpu::plan))
        .routes(routes!(gpu::mode))
        .routes(routes!(gpu_turn::list, gpu_turn::create))
        .routes(routes!(gpu_turn::delete))
        .routes(routes!(cloud::list, cloud::create))
        .routes(routes!(cloud::show, cloud::change, cloud::delete))
        .routes(routes!(cloud::test))
        .routes(routes!(cloud::offer))
        .routes(routes!(cloud::set_image, cloud::upload_image, cloud::forget_image))
        .routes(routes!(maintenance::empty_cloud_host, maintenance::open_cloud_host))
        .routes(routes!(maintenance::list))
        .routes(routes!(maintenance::show))
        .routes(routes!(maintenance::drain, maintenance::resume))
        .routes(routes!(dashboard::show))
        .routes(routes!(host::host))
        .routes(routes!(host::doctor))
        .routes(routes!(host::reconcilers))
        .routes(routes!(secrets::show))
        .routes(routes!(secrets::rotate))
        .routes(routes!(connect::viewer))
        .routes(routes!(service::openapi))
        .routes(routes!(service::health))
        .routes(routes!(service::ready))
        .routes(routes!(service::metrics))
}
