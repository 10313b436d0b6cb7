"""What happens behind the chats: the log goes to SQL, finished chats are sealed and indexed, half-done steps are
completed.
"""
