//! Makes tenants through the API, each with its own key and an endpoint at the receiver.

use crate::client::{Connection, Failed};
use serde_json::{Value, json};
use std::error::Error;

/// Makes `count` tenants and prints an API key of each, one a line.
pub fn run(app: &str, token: &str, count: &str, receiver: &str) -> Result<(), Box<dyn Error>> {
    let count: u32 = count.parse()?;
    super::run(async {
        let mut api = Api(Connection::open(app).await?);
        for n in 0..count {
            println!("{}", api.tenant(token, n, receiver).await?);
        }
        Ok(())
    })
}

struct Api(Connection);

impl Api {
    /// The answer's body, once it is a success.
    async fn call(
        &mut self,
        method: &str,
        path: &str,
        header: (&str, &str),
        body: Value,
    ) -> Result<Value, Failed> {
        let (status, answer) = self.0.send(method, path, &[header], body.to_string()).await?;
        if !(200..300).contains(&status) {
            return Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer)).into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// A tenant whose new contacts are told to the receiver: its API key.
    async fn tenant(&mut self, token: &str, n: u32, receiver: &str) -> Result<String, Failed> {
        let platform = ("api_access_token", token);
        let (email, password) = (format!("bench-{n}@example.com"), "Correct-horse-7-battery");
        let account =
            self.call("POST", "/platform/api/v1/accounts", platform, json!({"name": "Bench"})).await?;
        let user = json!({"name": "Bench", "email": email, "password": password});
        let user = self.call("POST", "/platform/api/v1/users", platform, user).await?;
        let members = format!("/platform/api/v1/accounts/{}/account_users", account["id"]);
        let member = json!({"user_id": user["id"], "role": "administrator"});
        self.call("POST", &members, platform, member).await?;
        let session = json!({"email": email, "password": password});
        let session = self.call("POST", "/v1/auth/sessions", platform, session).await?;
        let owner = format!("Bearer {}", text(&session, "token")?);
        let owner = ("authorization", owner.as_str());
        let service = self.call("POST", "/v1/service-accounts", owner, json!({"name": "bench"})).await?;
        let keys = format!("/v1/service-accounts/{}/api-keys", text(&service, "id")?);
        let made = self.call("POST", &keys, owner, json!({"name": "bench"})).await?;
        let key = text(&made, "plaintextKey")?;
        let bearer = format!("Bearer {key}");
        let url = format!("http://{receiver}/hooks");
        let settings = json!({"enabled": true, "url": url, "eventTypes": ["contact.created"]});
        self.call("PATCH", "/v1/webhooks", ("authorization", &bearer), settings).await?;
        Ok(key)
    }
}

fn text(value: &Value, name: &str) -> Result<String, Failed> {
    Ok(value[name].as_str().ok_or_else(|| format!("no {name} in {value}"))?.to_string())
}
