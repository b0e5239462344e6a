//! The function proxies of the event servers 6 and 7.

use anyhow::{Result, ensure};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use zmes_tests::standin::FcmFunction;

use super::client::{answer, client, old_client};
use super::{changed, ensure_noticed};

fn post(client: &Client, function: &FcmFunction, body: &Value) -> RequestBuilder {
    client.post(function.send_url()).header("authorization", FcmFunction::KEY).json(body)
}

fn android() -> Value {
    json!({"token": "0123456789:tail", "title": "Garage Alarm", "body": "Motion at 10:00 AM, 24-Nov", "sound": "default",
           "badge": 3, "log_message_id": "NONE",
           "data": {"mid": "1", "eid": "32910", "notification_foreground": "true", "monitorName": "Garage", "cause": ""},
           "android": {"icon": "ic_stat_notification", "priority": "high", "ttl": 600, "tag": "zmninjapush"}})
}

fn ios() -> Result<Value> {
    let ios = json!({"thread_id": "zmninja_alarm", "subtitle": "Home",
                     "headers": {"apns-priority": "10", "apns-push-type": "alert", "apns-collapse-id": "zmninjapush"}});
    changed(&changed(&android(), "/android", None)?, "/ios", Some(&ios))
}

#[tokio::test]
async fn what_the_event_servers_send_is_taken_over_both_kinds_of_http() -> Result<()> {
    let function = FcmFunction::start().await?;
    for client in [client(&function.ca())?, old_client(&function.ca())?] {
        for body in [android(), ios()?] {
            let (status, answer) = answer(post(&client, &function, &body)).await?;
            ensure!(status == 200 && answer["Success"].is_string(), "{status} {answer}");
        }
    }
    let (status, answer) = answer(client(&function.ca())?.get(function.send_url())).await?;
    ensure!(status == 400 && answer["Error"] == "No Token Found", "{status} {answer}");
    function.ensure_no_violations()?;
    ensure!(function.pushes_to("0123456789:tail").len() == 4 && function.arrivals().len() == 5);
    Ok(())
}

#[tokio::test]
async fn what_the_function_does_not_understand_is_noticed() -> Result<()> {
    let function = FcmFunction::start().await?;
    let client = client(&function.ca())?;
    for (what, body, pointer, value) in [
        ("/data is missing", android(), "/data", None),
        ("/data/eid is not a string", android(), "/data/eid", Some(json!(32910))),
        ("/data/cause is not a string", android(), "/data/cause", Some(json!(null))),
        ("/data/mid is missing", android(), "/data/mid", None),
        ("/data/notification_foreground", android(), "/data/notification_foreground", Some(json!(true))),
        ("/badge", android(), "/badge", Some(json!("3"))),
        ("/android/ttl", android(), "/android/ttl", Some(json!("600s"))),
        ("/android/priority", android(), "/android/priority", Some(json!("urgent"))),
        ("/android/icon is missing", android(), "/android/icon", None),
        ("neither android nor ios", android(), "/android", None),
        ("/ios/headers/apns-priority", ios()?, "/ios/headers/apns-priority", Some(json!(10))),
        ("/ios/subtitle", ios()?, "/ios/subtitle", Some(json!(""))),
        ("/title", ios()?, "/title", None),
        ("/to is not part", ios()?, "/to", Some(json!("x"))),
    ] {
        let body = changed(&body, pointer, value.as_ref())?;
        let known = function.violations().len();
        let (status, _) = answer(post(&client, &function, &body)).await?;
        ensure_noticed(&function, known, status, what)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_key_with_bearer_before_it_and_another_key_are_noticed() -> Result<()> {
    let function = FcmFunction::start().await?;
    let client = client(&function.ca())?;
    for key in [format!("Bearer {}", FcmFunction::KEY), "other".to_owned()] {
        let request = client.post(function.send_url()).header("authorization", key).json(&android());
        let (status, answer) = answer(request).await?;
        ensure!(status == 401 && answer.to_string().contains("Invalid credentials: "), "{status} {answer}");
        ensure_noticed(&function, 0, status, "authorization")?;
    }
    Ok(())
}

#[tokio::test]
async fn its_errors_name_the_last_ten_characters_of_the_token() -> Result<()> {
    let function = FcmFunction::start().await?;
    let client = client(&function.ca())?;
    let token = "0123456789:tail";
    for (behaviour, expected) in [
        (FcmFunction::not_found(token), "token:56789:tail=>Requested entity was not found."),
        (FcmFunction::sender_mismatch(token), "token:56789:tail=>SenderId mismatch"),
        (
            FcmFunction::not_valid("short"),
            "token:short=>The registration token is not a valid FCM registration token",
        ),
    ] {
        function.answer_next(1, &behaviour);
        let (status, answer) = answer(post(&client, &function, &android())).await?;
        ensure!(status == 400 && answer == json!({"Error": expected}), "{status} {answer}");
    }
    function.ensure_no_violations()?;
    ensure!(function.accepted().is_empty() && function.pushes().len() == 3);
    Ok(())
}
