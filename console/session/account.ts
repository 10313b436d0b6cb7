/** The first account, before it is sent. The server checks it again. */

export interface Account {
  name: string;
  email: string;
  password: string;
}

export type AccountField = keyof Account;

export const PASSWORD_LENGTH = 10;

export function accountProblem({ name, email, password }: Account): AccountField | null {
  if (name.trim() === "") return "name";
  if (!/^\S+@\S+$/.test(email.trim())) return "email";
  // Characters as people count them: an accent or an emoji is one.
  return [...password].length < PASSWORD_LENGTH ? "password" : null;
}
