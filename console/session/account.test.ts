import { describe, expect, it } from "vitest";
import { accountProblem } from "./account";

const account = { name: "Ann", email: "ann@example.com", password: "correct horse" };

describe("accountProblem", () => {
  it("finds nothing wrong with a good account", () => {
    expect(accountProblem(account)).toBeNull();
  });

  it("names the first field that is wrong", () => {
    expect(accountProblem({ name: " ", email: "", password: "" })).toBe("name");
    expect(accountProblem({ ...account, email: "ann at example" })).toBe("email");
    expect(accountProblem({ ...account, password: "too short" })).toBe("password");
  });

  it("counts characters, not their parts", () => {
    expect(accountProblem({ ...account, password: "😀😀😀😀😀" })).toBe("password");
  });
});
