//! A component for the cron trigger: sends `GET http://<target>/<timestamp>` and waits for the answer.
//! It fails unless the answer is 200.
wit_bindgen::generate!({ world: "spin-cron", path: "wit", generate_all });

use fermyon::spin::variables;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

struct Clock;
export!(Clock);

impl Guest for Clock {
    fn handle_cron_event(metadata: Metadata) -> Result<(), Error> {
        let failed = |error: &dyn std::fmt::Debug| Error::Other(format!("{error:?}"));
        let target = variables::get("target").map_err(|error| failed(&error))?;
        let request = OutgoingRequest::new(Fields::new());
        request.set_scheme(Some(&Scheme::Http)).unwrap();
        request.set_authority(Some(&target)).unwrap();
        request.set_path_with_query(Some(&format!("/{}", metadata.timestamp))).unwrap();
        let future = outgoing_handler::handle(request, None).map_err(|error| failed(&error))?;
        future.subscribe().block();
        let response = future.get().unwrap().unwrap().map_err(|error| failed(&error))?;
        match response.status() {
            200 => Ok(()),
            status => Err(Error::Other(format!("the answer was {status}"))),
        }
    }
}
