-- What wrk sends and how it reports. Arguments: KIND CONTACTS KEY INBOX QUERY
-- KIND is hello, contact, contacts, list (with QUERY) or message. The ids and addresses are those of native/src/load.rs.

local kind, contacts, inbox, query
local headers = { ["content-type"] = "application/json" }

function init(arguments)
  kind, contacts, inbox, query = arguments[1], tonumber(arguments[2]), arguments[4], arguments[5]
  headers["authorization"] = "Bearer " .. (arguments[3] or "")
  -- The same sequence for both sides of a comparison.
  math.randomseed(1)
end

function request()
  local n = math.random(0, contacts - 1)
  if kind == "contact" then
    return wrk.format("GET", string.format("/v1/contacts/con_01J%023d", n), headers)
  elseif kind == "contacts" then
    return wrk.format("GET", "/v1/contacts?pageSize=50", headers)
  elseif kind == "list" then
    return wrk.format("GET", "/v1/contacts" .. query, headers)
  elseif kind == "message" then
    local body = string.format(
      '{"inboxId":"%s","recipient":{"type":"channel","channel":"whatsapp","externalId":"+%d"},'
        .. '"content":{"type":"template","template":{"name":"order_ready","language":"en"}}}',
      inbox, 48500000000 + n)
    return wrk.format("POST", "/v1/messages", headers, body)
  end
  return wrk.format("GET", "/hello")
end

-- One line: requests per second, p50 and p99 in milliseconds, failures.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %.0f %.2f %.2f %d\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
