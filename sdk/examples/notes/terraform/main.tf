terraform {
  required_providers {
    notes = {
      source = "example/notes"
    }
  }
}

provider "notes" {
  directory = "${path.module}/notes"
}

resource "notes_note" "list" {
  name   = provider::notes::slug("Shopping list")
  text   = "- bread\n- milk\n"
  format = "markdown"
}

variable "secret" {
  type      = string
  ephemeral = true
  default   = "under the stone"
}

resource "notes_note" "secret" {
  name            = "secret"
  text_wo         = var.secret
  text_wo_version = 1
}

data "notes_listing" "all" {
  depends_on = [notes_note.list, notes_note.secret]
}

output "file" {
  value = notes_note.list.file
}

output "files" {
  value = data.notes_listing.all.files
}
