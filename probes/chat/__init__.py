"""Web chats: a browser, widget profiles, an observer in the page, and the channel over them."""
