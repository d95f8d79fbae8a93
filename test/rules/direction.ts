import { importsOf, type Import } from './imports.ts';
import type { SourceFile } from './source-files.ts';

/** Knows neither HTTP nor a capability's rules; every capability may use it. */
const foundation = ['db', 'events', 'http', 'jobs'];
/** Capabilities that drive media; the others hear of it only as errors and logs. */
const mediaUsers = ['devices', 'health', 'footage', 'finding', 'live', 'bureau', 'meetings'];
const mediaForAll = ['media/errors.ts', 'media/log.ts', 'media/clock.ts'];
/** What another capability may import of one, beside its schema, types and services: each of these is a service by another name. */
const otherFaces: Readonly<Record<string, readonly string[]>> = {
  auth: ['permissions.ts', 'audit-trail.ts', 'secret-box.ts', 'once-within.ts'],
};
const face = /^(schema|types|service|[a-z0-9-]+-service)\.ts$/;
/** Files without effects that even the foundation and the configuration may read. */
const pure = /(^|\/)(schema|permissions|password-rules)\.ts$/;
/** The places where everything meets. */
const composition = new Set(['server/app.ts', 'server/main.ts']);

type Rule = (file: SourceFile, imported: Import) => string | undefined;

const folderOf = (path: string): string | undefined => /^server\/([^/]+)\//.exec(path)?.[1];
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const isTest = (path: string): boolean => path.endsWith('.test.ts');

const webSeesSchemasOnly: Rule = ({ path }, { path: target, specifier }) => {
  if (!path.startsWith('web/') || isTest(path)) return undefined;
  if (specifier.startsWith('node:')) return 'web runs in a browser';
  if (target === undefined || target.startsWith('web/')) return undefined;
  const isShared =
    /^server\/[^/]+\/schema\.ts$/.test(target) ||
    target === 'server/auth/permissions.ts' ||
    target === 'server/errors.ts';
  return isShared
    ? undefined
    : 'web may import only schemas, the permission table and the error registry of the server';
};

const mediaStandsAlone: Rule = ({ path }, { path: target, specifier }) => {
  if (!path.startsWith('media/')) return undefined;
  if (/^(fastify|@fastify\/.*|knex|sqlite3|pg|typebox|svelte)$/.test(specifier))
    return 'media knows no database, route or page';
  if (target === undefined || target.startsWith('media/')) return undefined;
  return isTest(path) && target.startsWith('test/')
    ? undefined
    : 'media imports nothing of the project but media';
};

const serverLooksDown: Rule = ({ path }, { path: target }) => {
  if (!path.startsWith('server/') || target === undefined || composition.has(path)) return undefined;
  if (target.startsWith('server/')) return undefined;
  if (!target.startsWith('media/'))
    return isTest(path) && target.startsWith('test/') ? undefined : 'server imports only server and media';
  if (mediaForAll.includes(target)) return undefined;
  const folder = folderOf(path) ?? '';
  if (!mediaUsers.includes(folder)) return `server/${folder} has no business with media`;
  return /(routes|schema|store)\.ts$/.test(path)
    ? 'routes, schemas and stores know no media: their service does'
    : undefined;
};

const sidewaysByFaces: Rule = ({ path }, { path: target }) => {
  if (composition.has(path) || isTest(path)) return undefined;
  const [from, to] = [folderOf(path), folderOf(target ?? '')];
  if (
    !path.startsWith('server/') ||
    target === undefined ||
    to === undefined ||
    from === to ||
    foundation.includes(to)
  )
    return undefined;
  if (from === undefined || foundation.includes(from))
    return pure.test(target) ? undefined : `the foundation imports nothing of a capability (server/${to})`;
  const name = nameOf(target);
  return face.test(name) || otherFaces[to]?.includes(name)
    ? undefined
    : `server/${to} is entered by its service or schema only`;
};

const eachKindKnowsItsPlace: Rule = ({ path }, { path: target, specifier }) => {
  if (!path.startsWith('server/')) return undefined;
  const name = nameOf(path);
  if (
    name === 'schema.ts' &&
    specifier !== 'typebox' &&
    !/(^|\/)(schema|permissions)\.ts$/.test(target ?? '')
  )
    return 'a schema imports typebox, schemas and the permission table';
  if (
    /(^|-)store\.ts$/.test(name) &&
    (/^@?fastify\b/.test(specifier) ||
      /^server\/(events|jobs)\//.test(target ?? '') ||
      /(routes|service)\.ts$/.test(target ?? '')) &&
    folderOf(path) !== 'jobs'
  )
    return 'a store only queries: no HTTP, events, jobs or services';
  if (
    /(^|-)routes\.ts$/.test(name) &&
    (specifier === 'knex' || /^server\/db\/|(^|-|\/)store\.ts$/.test(target ?? ''))
  )
    return 'routes reach the database through their service';
  return undefined;
};

const rules: readonly Rule[] = [
  webSeesSchemasOnly,
  mediaStandsAlone,
  serverLooksDown,
  sidewaysByFaces,
  eachKindKnowsItsPlace,
];

/** Every import that goes against the direction of design: `path: specifier: why`. */
export function findWrongImports(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap((imported) =>
      rules.flatMap((rule) => {
        const why = rule(file, imported);
        return why === undefined ? [] : [`${file.path}: ${imported.specifier}: ${why}`];
      }),
    ),
  );
}
