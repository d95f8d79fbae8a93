import { m } from '../../paraglide/messages.js';
import type { Finding } from './verify-package.ts';

export const problemLabel: Readonly<Record<Finding['problem'], () => string>> = {
  altered: m.verify_problem_altered,
  missing: m.verify_problem_missing,
  added: m.verify_problem_added,
  duplicate: m.verify_problem_duplicate,
  repacked: m.verify_problem_repacked,
  'unsafe-name': m.verify_problem_unsafe_name,
  'hidden-data': m.verify_problem_hidden_data,
  'manifest-changed': m.verify_problem_manifest_changed,
  unreadable: m.verify_problem_unreadable,
};
