use crate::{
    at_once, on_both,
    samples::{desktop, image, pool},
};
use oriel_model::{Image, ImageId, ImageSource, ImageState};
use oriel_store::StoreError;

on_both! {
    async fn count_their_versions(store: Store) {
        let mut put = Vec::new();
        for name in ["debian-desktop", "windows", "debian-desktop"] {
            put.push(store.put_image(&image(name)).await.unwrap());
        }
        assert_eq!(put.iter().map(|image| image.version).collect::<Vec<_>>(), [1, 1, 2]);
        assert_eq!(store.image(put[0].id).await.unwrap().as_ref(), Some(&put[0]));
        let listed: Vec<_> = store.images().await.unwrap().iter().map(|image| image.id).collect();
        assert_eq!(listed, [put[2].id, put[0].id, put[1].id]);
    }

    async fn put_together_get_different_versions(store: Store) {
        let mut versions: Vec<_> = at_once(20, |_| {
            let store = store.clone();
            async move { store.put_image(&image("debian-desktop")).await.unwrap().version }
        })
        .await;
        versions.sort_unstable();
        assert_eq!(versions, (1..=20).collect::<Vec<_>>());
    }

    async fn are_found_by_name(store: Store) {
        let name = "debian-desktop".parse().unwrap();
        assert_eq!(store.image_by_name(&name, None).await.unwrap(), None);
        let one = store.put_image(&image("debian-desktop")).await.unwrap();
        let imported = Image { source: ImageSource::Imported { from: "/a.qcow2".to_owned() }, ..image("debian-desktop") };
        let two = store.put_image(&imported).await.unwrap();
        assert_eq!(store.image_by_name(&name, Some(1)).await.unwrap(), Some(one.clone()));
        assert_eq!(store.image_by_name(&name, Some(3)).await.unwrap(), None);
        assert_eq!(store.image_by_name(&name, None).await.unwrap(), Some(two.clone()));
        store.set_image_state(two.id, ImageState::Retired).await.unwrap();
        assert_eq!(store.image_by_name(&name, None).await.unwrap(), Some(one));
        assert_eq!(store.image(two.id).await.unwrap().map(|image| image.state), Some(ImageState::Retired));
        let nobody = store.set_image_state(ImageId::new(), ImageState::Ready).await;
        assert!(matches!(nobody, Err(StoreError::Missing { .. })));
    }

    async fn in_use_stay(store: Store) {
        let [one, two] = [
            store.put_image(&image("debian-desktop")).await.unwrap(),
            store.put_image(&image("debian-desktop")).await.unwrap(),
        ];
        let mut pool = pool("studio", one.id);
        store.create_pool(&pool).await.unwrap();
        let studio = desktop("studio-1", pool.id);
        store.create_desktop(&studio).await.unwrap();
        store.modify_desktop(studio.id, |desktop| desktop.facts.image = Some(one.id)).await.unwrap();
        assert!(matches!(store.delete_image(one.id).await, Err(StoreError::InUse { what: "image", .. })));
        // The pool moves on; the desktop's disk is still a clone of the old one.
        pool.image = Some(two.id);
        store.update_pool(&pool).await.unwrap();
        assert!(matches!(store.delete_image(one.id).await, Err(StoreError::InUse { .. })));
        store.modify_desktop(studio.id, |desktop| desktop.facts.image = Some(two.id)).await.unwrap();
        store.delete_image(one.id).await.unwrap();
        assert!(matches!(store.delete_image(one.id).await, Err(StoreError::Missing { .. })));
    }

    async fn a_deleted_version_is_not_given_out_again(store: Store) {
        store.put_image(&image("debian-desktop")).await.unwrap();
        let two = store.put_image(&image("debian-desktop")).await.unwrap();
        store.delete_image(two.id).await.unwrap();
        assert_eq!(store.put_image(&image("debian-desktop")).await.unwrap().version, 3);
    }
}
