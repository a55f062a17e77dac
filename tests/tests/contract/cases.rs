//! A path for each operation. An operation without one fails the tests: add it here.

use crate::world::World;
use common::routes::Operation;

/// What the path of an operation is in a world.
type Path = fn(&World) -> String;

/// Operations of tenants. The order does not matter; nothing in them may be missing.
const TENANT: &[(&str, Path)] = &[
    ("getContacts", |_| "/v1/contacts".into()),
    ("createContact", |_| "/v1/contacts".into()),
    ("getContact", |w| format!("/v1/contacts/{}", w.contact)),
    ("updateContact", |w| format!("/v1/contacts/{}", w.contact)),
    ("listContactCustomFields", |_| "/v1/contacts/custom-fields".into()),
    ("createContactCustomField", |_| "/v1/contacts/custom-fields".into()),
    ("updateContactCustomField", |w| format!("/v1/contacts/custom-fields/{}", w.fields[0])),
    ("deleteContactCustomField", |w| format!("/v1/contacts/custom-fields/{}", w.fields[0])),
    ("setContactCustomFieldValue", |w| format!("/v1/contacts/{}/custom-fields/{}", w.contact, w.fields[0])),
    ("listPropertyCustomFields", |_| "/v1/properties/custom-fields".into()),
    ("createPropertyCustomField", |_| "/v1/properties/custom-fields".into()),
    ("updatePropertyCustomField", |w| format!("/v1/properties/custom-fields/{}", w.fields[1])),
    ("deletePropertyCustomField", |w| format!("/v1/properties/custom-fields/{}", w.fields[1])),
    ("listTags", |_| "/v1/tags".into()),
    ("createTag", |_| "/v1/tags".into()),
    ("deleteTag", |w| format!("/v1/tags/{}", w.tag)),
    ("addContactTag", |w| format!("/v1/contacts/{}/tags/{}", w.contact, w.tag)),
    ("removeContactTag", |w| format!("/v1/contacts/{}/tags/{}", w.contact, w.tag)),
    ("updateContactTagsInBulk", |_| "/v1/contacts/bulk/tags".into()),
    ("importContacts", |_| "/v1/contacts/import".into()),
    ("getImportStatus", |w| format!("/v1/contacts/imports/{}", w.import)),
    ("downloadImportErrors", |w| format!("/v1/contacts/imports/{}/errors.csv", w.import)),
    ("getContactsCount", |_| "/v1/contacts/count".into()),
    ("deleteContact", |w| format!("/v1/contacts/{}", w.contact)),
    ("archiveContact", |w| format!("/v1/contacts/{}/archive", w.contact)),
    ("unarchiveContact", |w| format!("/v1/contacts/{}/unarchive", w.contact)),
    ("upsertContactByExternalId", |_| "/v1/contacts/by-external-id/crm-4711".into()),
    ("setIdentityConsent", |w| format!("/v1/contacts/{}/identities/{}/consent", w.contact, w.identity())),
    ("exportContact", |w| format!("/v1/contacts/{}/export", w.contact)),
    ("mergeContacts", |w| format!("/v1/contacts/{}/merge", w.contact)),
    ("undoContactMerge", |w| format!("/v1/contacts/merges/{}/undo", w.merge())),
    ("sendMessage", |_| "/v1/messages".into()),
    ("listMessages", |_| "/v1/messages?metadata[orderId]=A-1021".into()),
    ("updateMessage", |w| format!("/v1/messages/{}", w.message)),
    ("cancelMessage", |w| format!("/v1/messages/{}", w.message)),
    ("sendReaction", |w| format!("/v1/messages/{}/reactions", w.message)),
    ("getMessage", |w| format!("/v1/messages/{}", w.message)),
    ("listConversationMessages", |w| format!("/v1/conversations/{}/messages", w.conversation)),
    ("sendConversationMessage", |w| format!("/v1/conversations/{}/messages", w.conversation)),
    ("getInboxes", |_| "/v1/inboxes".into()),
    ("createInbox", |_| "/v1/inboxes".into()),
    ("getInbox", |w| format!("/v1/inboxes/{}", w.inbox.id)),
    ("updateInbox", |w| format!("/v1/inboxes/{}", w.inbox.id)),
    ("deleteInbox", |w| format!("/v1/inboxes/{}", w.inbox.id)),
    ("listWhatsAppTemplates", |w| format!("/v1/inboxes/{}/whatsapp/templates", w.inbox.id)),
    ("listWabaPhoneNumbers", |_| "/v1/whatsapp/123456789012345/phone-numbers".into()),
    ("setInboxTeam", |w| format!("/v1/inboxes/{}/team", w.inbox.id)),
    ("clearInboxTeam", |w| format!("/v1/inboxes/{}/team", w.inbox.id)),
    ("createMediaUpload", |_| "/v1/media/uploads".into()),
    ("getMedia", |w| format!("/v1/media/{}", w.media)),
    ("deleteMedia", |w| format!("/v1/media/{}", w.media)),
    ("createMediaLink", |w| format!("/v1/media/{}/links", w.media)),
    ("downloadMedia", |w| format!("/media/{}/uploads/{}", w.tenant.id, w.media)),
    ("listConversations", |_| "/v1/conversations".into()),
    ("getConversation", |w| format!("/v1/conversations/{}", w.conversation)),
    ("reassignConversation", |w| format!("/v1/conversations/{}/reassign", w.conversation)),
    ("markConversationRead", |w| format!("/v1/conversations/{}/read", w.conversation)),
    ("closeConversation", |w| format!("/v1/conversations/{}/close", w.conversation)),
    ("getUsers", |_| "/v1/users".into()),
    ("getUsersMe", |_| "/v1/users/me".into()),
    ("patchUsersMe", |_| "/v1/users/me".into()),
    ("getUser", |w| format!("/v1/users/{}", w.member().id)),
    ("putUserRole", |w| format!("/v1/users/{}/role", w.member().id)),
    ("listInvitations", |_| "/v1/users/invitations".into()),
    ("createInvitation", |_| "/v1/users/invitations".into()),
    ("revokeInvitation", |w| format!("/v1/users/invitations/{}", w.invitation)),
    ("getBillingStatus", |_| "/v1/billing/status".into()),
    ("getUsersMeUnreadCount", |_| "/v1/users/me/unread-count".into()),
    ("getUsersMeUnreadSummary", |_| "/v1/users/me/unread-summary".into()),
    ("listTeams", |_| "/v1/teams".into()),
    ("createTeam", |_| "/v1/teams".into()),
    ("getTeam", |w| format!("/v1/teams/{}", w.team)),
    ("updateTeam", |w| format!("/v1/teams/{}", w.team)),
    ("deleteTeam", |w| format!("/v1/teams/{}", w.team)),
    ("listTeamAgents", |w| format!("/v1/teams/{}/agents", w.team)),
    ("addTeamAgent", |w| format!("/v1/teams/{}/agents", w.team)),
    ("removeTeamAgent", |w| format!("/v1/teams/{}/agents/{}", w.team, w.tenant.owner.id)),
    ("streamUpdates", |_| "/v1/stream?maxSeconds=0".into()),
    ("getWebhookSettings", |_| "/v1/webhooks".into()),
    ("updateWebhookSettings", |_| "/v1/webhooks".into()),
    ("deleteWebhookSettings", |_| "/v1/webhooks".into()),
    ("listWebhookSigningKeys", |_| "/v1/webhooks/signing-keys".into()),
    ("rotateWebhookSigningKey", |_| "/v1/webhooks/signing-keys/rotate".into()),
    ("verifyWebhook", |_| "/v1/webhooks/verify".into()),
    ("listWebhookAttempts", |_| "/v1/webhooks/attempts".into()),
    ("getWebhookAttempt", |w| format!("/v1/webhooks/attempts/{}", w.attempt())),
    ("resendWebhookAttempt", |w| format!("/v1/webhooks/attempts/{}/resend", w.attempt())),
    ("listWebhookEvents", |_| "/v1/webhooks/events".into()),
    ("recoverWebhookEvents", |_| "/v1/webhooks/recover".into()),
    ("getWebhookRecovery", |w| format!("/v1/webhooks/recover/{}", w.recovery())),
    ("getWebhookStats", |_| "/v1/webhooks/stats".into()),
    ("listWebhookEndpoints", |_| "/v1/webhooks/endpoints".into()),
    ("createWebhookEndpoint", |_| "/v1/webhooks/endpoints".into()),
    ("getWebhookEndpoint", |w| format!("/v1/webhooks/endpoints/{}", w.endpoint())),
    ("updateWebhookEndpoint", |w| format!("/v1/webhooks/endpoints/{}", w.endpoint())),
    ("deleteWebhookEndpoint", |w| format!("/v1/webhooks/endpoints/{}", w.endpoint())),
    ("verifyWebhookEndpoint", |w| format!("/v1/webhooks/endpoints/{}/verify", w.endpoint())),
    ("listWebhookEndpointSigningKeys", |w| format!("/v1/webhooks/endpoints/{}/signing-keys", w.endpoint())),
    ("rotateWebhookEndpointSigningKey", |w| {
        format!("/v1/webhooks/endpoints/{}/signing-keys/rotate", w.endpoint())
    }),
    ("listServiceAccounts", |_| "/v1/service-accounts".into()),
    ("createServiceAccount", |_| "/v1/service-accounts".into()),
    ("deleteServiceAccount", |w| format!("/v1/service-accounts/{}", w.service_account)),
    ("listApiKeys", |w| format!("/v1/service-accounts/{}/api-keys", w.service_account)),
    ("createApiKey", |w| format!("/v1/service-accounts/{}/api-keys", w.service_account)),
    ("listAuditLog", |_| "/v1/audit-log".into()),
    ("revokeApiKey", |w| format!("/v1/api-keys/{}", w.api_key)),
];

/// Operations of the platform: parameters are numbers.
const PLATFORM: &[(&str, Path)] = &[
    ("create-an-account", |_| "/platform/api/v1/accounts".into()),
    ("get-details-of-an-account", |w| format!("/platform/api/v1/accounts/{}", w.tenant.account)),
    ("update-an-account", |w| format!("/platform/api/v1/accounts/{}", w.tenant.account)),
    ("delete-an-account", |w| format!("/platform/api/v1/accounts/{}", w.tenant.account)),
    ("list-all-account-users", |w| format!("/platform/api/v1/accounts/{}/account_users", w.tenant.account)),
    ("create-an-account-user", |w| format!("/platform/api/v1/accounts/{}/account_users", w.tenant.account)),
    ("delete-an-account-user", |w| {
        format!("/platform/api/v1/accounts/{}/account_users?user_id={}", w.tenant.account, w.member().number)
    }),
    ("create-a-user", |_| "/platform/api/v1/users".into()),
    ("get-details-of-a-user", |w| format!("/platform/api/v1/users/{}", w.member().number)),
    ("update-a-user", |w| format!("/platform/api/v1/users/{}", w.member().number)),
    ("delete-a-user", |w| format!("/platform/api/v1/users/{}", w.member().number)),
    ("get-sso-url-of-a-user", |w| format!("/platform/api/v1/users/{}/login", w.member().number)),
];

/// Whether an operation is about the person who calls, so that API keys are refused.
pub fn is_for_people(operation: &Operation) -> bool {
    operation.path.starts_with("/v1/users/me")
}

/// The path of an operation of a tenant or of the platform.
pub fn path(operation: &Operation, world: &World) -> String {
    let platform = operation.path.starts_with("/platform/");
    let cases = if platform { PLATFORM } else { TENANT };
    match cases.iter().find(|(id, _)| *id == operation.id) {
        Some((_, path)) => path(world),
        None => panic!(
            "{} {} ({}) has no case: add it to cases.rs",
            operation.method, operation.path, operation.id
        ),
    }
}

/// Cases of operations that exist no more.
pub fn left_over(operations: &[&Operation]) -> Vec<&'static str> {
    let known = |id: &str| operations.iter().any(|operation| operation.id == id);
    TENANT.iter().chain(PLATFORM).map(|(id, _)| *id).filter(|id| !known(id)).collect()
}
