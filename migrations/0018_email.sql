-- Contacts by e-mail address, in whatever case it was written: imports find them so.
CREATE INDEX contact_fields_by_email ON contact_fields (tenant_id, lower(value)) WHERE field_id = 'cf_email';
