//! What `zmesctl doctor` says about pictures, and about links to them.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::standin::TargetPeer;
use zmes_tests::{EventRow, World, wait_until};

use crate::{cameras, jpeg, start, target};

/// Returns the findings about pictures: severity, sentence, what to do.
async fn pictures(world: &World) -> Result<Vec<(String, String, String)>> {
    let answer = world.run(&["doctor", "--json"]).await?.json()?;
    let findings = answer["findings"].as_array().with_context(|| answer.to_string())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = findings.iter().filter(|finding| finding["step"] == "pictures");
    Ok(told.map(|one| (text(&one["severity"]), text(&one["detail"]), text(&one["hint"]))).collect())
}

#[tokio::test]
async fn doctor_tells_of_pictures_that_cannot_be_read_though_only_files_are_sent() -> Result<()> {
    let ntfy = TargetPeer::ntfy().await?;
    let world = start(cameras(), &[target("ntfy", &ntfy, "")]).await?;
    // An event that has just begun may have no directory yet; a share that is not mounted looks like that for ever.
    world.insert_event(EventRow::new(10, 1).closed()).await?;
    let told = pictures(&world).await?;
    ensure!(told.is_empty(), "{told:?}");
    world.insert_event(EventRow::new(11, 1).aged(90).closed()).await?;
    let told = pictures(&world).await?;
    let [(severity, detail, hint)] = &told[..] else { anyhow::bail!("{told:?}") };
    ensure!(severity == "warning" && detail.contains("(event 11)"), "{told:?}");
    ensure!(detail.contains("has no directory of the event") && hint.contains("findmnt -T"), "{told:?}");
    // An event of a monitor that is not watched here may lie on a disk that this machine does not have.
    world.insert_event(EventRow::new(12, 77).aged(90).closed()).await?;
    ensure!(pictures(&world).await? == told);

    fs::write(world.event_directory(1, 11).await?.join("snapshot.jpg"), jpeg(1))?;
    let told = pictures(&world).await?;
    ensure!(matches!(&told[..], [(ok, good, _)] if ok == "ok" && good.contains("can be read")), "{told:?}");
    fs::rename(world.path("events"), world.path("elsewhere"))?;
    // The picture that was just read is kept for a moment.
    wait_until("the storage is missed", async || {
        let told = pictures(&world).await?;
        Ok(matches!(&told[..], [(_, detail, _)] if detail.contains("cannot open storage")).then_some(()))
    })
    .await?;

    // `pictures test` of an old event does not wait for what will not come.
    let began = tokio::time::Instant::now();
    world.run(&["pictures", "test", "11"]).await?.expect_code(1)?;
    ensure!(began.elapsed().as_secs() < 3, "{:?}", began.elapsed());

    // Mounted again, it is good again.
    fs::rename(world.path("elsewhere"), world.path("events"))?;
    wait_until("the picture is found again", async || {
        let told = pictures(&world).await?;
        Ok(matches!(&told[..], [(ok, good, _)] if ok == "ok" && good.contains("can be read")).then_some(()))
    })
    .await
}

#[tokio::test]
async fn doctor_opens_a_link_as_a_phone_does() -> Result<()> {
    let mut world = cameras().start().await?;
    let address = world.endpoint().await?.address;
    world.settings.set_text("picture", "base-url", &format!("https://{address}"));
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    // The tests' authority is none that a phone knows.
    let told = pictures(&world).await?;
    let [(severity, detail, hint)] = &told[..] else { anyhow::bail!("{told:?}") };
    ensure!(severity == "warning" && detail.contains("signed by an unknown authority"), "{told:?}");
    ensure!(hint.contains("public authority"), "{told:?}");
    world.settings.set_text("picture", "base-url", "https://127.0.0.1:1/zmes");
    world.write_settings()?;
    world.run(&["reload"]).await?.expect_code(0)?;
    let told = pictures(&world).await?;
    ensure!(matches!(&told[..], [(ok, detail, _)] if ok == "ok" && detail.contains("from here")), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn doctor_says_that_the_storage_of_another_server_is_not_mounted_here() -> Result<()> {
    let ntfy = TargetPeer::ntfy().await?;
    let mut world = cameras().setting("zoneminder", "server-id", "\"all\"").prepare().await?;
    world.write_settings_with(&target("ntfy", &ntfy, ""))?;
    let events = world.path("events");
    fs::create_dir_all(&events)?;
    let statements = format!(
        "DELETE FROM Servers; INSERT INTO Servers (Id, Name) VALUES (1, 'nvr1'), (2, 'nvr2'); \
         UPDATE Monitors SET ServerId=Id; \
         ALTER TABLE Storage MODIFY Path varchar(255) NOT NULL, ADD COLUMN ServerId int unsigned; \
         INSERT INTO Storage (Id, Path, ServerId) VALUES (1, '{path}', 1), (2, '{path}', 2)",
        path = events.display()
    );
    world.database.sql(&statements).await?;
    let conf = world.path("zm.conf");
    fs::write(&conf, fs::read_to_string(&conf)? + "ZM_SERVER_NAME=nvr1\n")?;
    world.launch_daemon().await?;
    world.wait_comparing().await?;
    for (event, monitor) in [(10, 1), (11, 2)] {
        world.insert_event(EventRow::new(event, monitor).aged(90).closed()).await?;
    }
    world.database.sql("UPDATE Events SET StorageId=MonitorId").await?;
    fs::write(world.event_directory(1, 10).await?.join("snapshot.jpg"), jpeg(1))?;
    let told = pictures(&world).await?;
    let [(own, _, _), (other, detail, hint)] = &told[..] else { anyhow::bail!("{told:?}") };
    ensure!(own == "ok" && other == "warning" && detail.contains("(event 11)"), "{told:?}");
    ensure!(detail.contains("not mounted here") && hint.contains("mount the storage"), "{told:?}");
    // Mounted, its pictures are read.
    fs::write(world.event_directory(2, 11).await?.join("snapshot.jpg"), jpeg(2))?;
    let told = pictures(&world).await?;
    ensure!(told.len() == 2 && told.iter().all(|(severity, ..)| severity == "ok"), "{told:?}");
    Ok(())
}
