use crate::{
    on_both,
    samples::{NOW, pool},
};
use oriel_model::{Cloud, CloudId, CloudImage, CloudPlace, ImageId, Micros, Pool};
use oriel_store::StoreError;

fn cloud(name: &str) -> Cloud {
    Cloud {
        id: CloudId::new(),
        name: name.parse().unwrap(),
        address: "https://oak.example:5000/v3".to_owned(),
        region: Some("north".to_owned()),
        created: NOW,
        changed: NOW,
    }
}

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let (mut oak, elm) = (cloud("oak"), Cloud { region: None, ..cloud("elm") });
        store.create_cloud(&oak, "sealed").await.unwrap();
        store.create_cloud(&elm, "other").await.unwrap();
        assert!(matches!(store.create_cloud(&cloud("oak"), "x").await, Err(StoreError::Taken { .. })));
        assert_eq!(store.clouds().await.unwrap(), [elm.clone(), oak.clone()]);
        assert_eq!(store.cloud_by_name(&oak.name).await.unwrap(), Some(oak.clone()));
        assert_eq!(store.cloud_sign_in(oak.id).await.unwrap().as_deref(), Some("sealed"));
        oak.changed = Micros(NOW.0 + 1);
        store.update_cloud(&oak, "anew").await.unwrap();
        assert_eq!(store.cloud(oak.id).await.unwrap(), Some(oak.clone()));
        assert_eq!(store.cloud_sign_in(oak.id).await.unwrap().as_deref(), Some("anew"));
        store.delete_cloud(elm.id).await.unwrap();
        assert!(matches!(store.delete_cloud(elm.id).await, Err(StoreError::Missing { .. })));
        assert!(matches!(store.update_cloud(&elm, "x").await, Err(StoreError::Missing { .. })));
    }

    async fn stay_while_pools_stand_on_them(store: Store) {
        let oak = cloud("oak");
        store.create_cloud(&oak, "sealed").await.unwrap();
        let image = store.put_image(&crate::samples::image("debian")).await.unwrap();
        let place = CloudPlace {
            cloud: oak.id,
            flavor: "tiny".to_owned(),
            network: "auto".to_owned(),
            address: "floating from outside".parse().unwrap(),
            root: "volume,size=20".parse().unwrap(),
        };
        let sky = Pool { cloud: Some(place.clone()), gpu: None, ..pool("sky", image.id) };
        store.create_pool(&sky).await.unwrap();
        assert_eq!(store.pool(sky.id).await.unwrap(), Some(sky.clone()));
        assert!(matches!(store.delete_cloud(oak.id).await, Err(StoreError::InUse { .. })));
        let nowhere = Pool { cloud: Some(CloudPlace { cloud: CloudId::new(), ..place }), ..pool("nowhere", image.id) };
        assert!(matches!(store.create_pool(&nowhere).await, Err(StoreError::Missing { .. })));
        let of = CloudImage { cloud: oak.id, image: image.id, remote: "one".to_owned(), created: NOW };
        store.put_cloud_image(&of).await.unwrap();
        let again = CloudImage { remote: "two".to_owned(), ..of.clone() };
        store.put_cloud_image(&again).await.unwrap();
        assert_eq!(store.cloud_images(oak.id).await.unwrap(), std::slice::from_ref(&again));
        assert_eq!(store.cloud_image(oak.id, image.id).await.unwrap(), Some(again));
        let of_nothing = CloudImage { image: ImageId::new(), ..of };
        assert!(matches!(store.put_cloud_image(&of_nothing).await, Err(StoreError::Missing { .. })));
        store.delete_pool(sky.id).await.unwrap();
        store.delete_cloud(oak.id).await.unwrap();
        assert_eq!(store.cloud_image(oak.id, image.id).await.unwrap(), None, "gone with its cloud");
    }
}
