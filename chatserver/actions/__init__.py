"""What commands do: validate → store → publish. Actions and the hub do not know each other; they meet at the broker."""
