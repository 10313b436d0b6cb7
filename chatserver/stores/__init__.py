"""What the hub keeps: live chats and queues (Redis), the directory of people and places (SQL), secrets on the way."""
