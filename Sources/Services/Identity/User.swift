import Environment
import Schema

/// A member of staff.
struct User: Sendable, Hashable {
    enum Role: String, Sendable {
        case admin
    }

    let id: UUID
    let name: String
    /// In lower case.
    let email: String
    let role: Role
}

extension IdentityV1.User {
    init(_ user: User) {
        self.init()
        id = user.id.description
        name = user.name
        email = user.email
        role =
            switch user.role {
            case .admin: .admin
            }
    }
}
